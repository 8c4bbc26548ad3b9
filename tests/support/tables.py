"""Looking at everything that a database holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from app.access.tables import provider_accounts
from app.db.engine import Database
from app.db.types import metadata
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.use_cases.tables import opt_outs, senders
from support.factories import Factory


def snapshot(database: Database) -> dict[str, list[str]]:
    """Every row of every table, in an order that depends on the rows alone."""
    with database.reading() as c:
        return {
            table.name: sorted(repr(tuple(row)) for row in c.execute(select(table)))
            for table in metadata.sorted_tables
        }


@contextmanager
def unchanged(database: Database, *but: str) -> Iterator[None]:
    """What happens inside changes no row of any table but the named ones, and those it does."""
    before = snapshot(database)
    yield
    after = snapshot(database)
    assert {name for name in before if before[name] != after[name]} == set(but)


def add_sender(
    factory: Factory, use_case_id: Any, number: str, kind: str, country: str | None
) -> None:
    factory.write(
        insert(senders).values(
            id=new_id(),
            use_case_id=use_case_id,
            number=number,
            type=kind,
            country=country,
            created_at=factory.now,
        )
    )


def add_opt_out_row(
    factory: Factory, workspace_id: Any, number: str, source: str = "api", use_case_id: Any = None
) -> UUID:
    opt_out_id = new_id()
    factory.write(
        insert(opt_outs).values(
            id=opt_out_id,
            workspace_id=workspace_id,
            use_case_id=use_case_id,
            to_number=number,
            source=source,
            created_at=utc_now(),
        )
    )
    return opt_out_id


def set_tokens(
    factory: Factory, account_sid: str, current: str, following: str | None = None
) -> None:
    """Store the tokens of an account, as a rotation in another process does."""
    encrypted = {
        "auth_token": factory.cipher.encrypt(account_sid, current),
        "next_auth_token": None
        if following is None
        else factory.cipher.encrypt(account_sid, following),
    }
    factory.write(
        provider_accounts.update().where(provider_accounts.c.sid == account_sid).values(**encrypted)
    )
