"""SQL that reads the current state as records."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Table, or_, select

from app.access.tables import access_keys, organizations, provider_accounts, workspaces
from app.db.encryption import Cipher, DecryptionError
from app.db.rows import AnyRow
from app.destinations.storage.load import load_effective
from app.guards.store import load_guards
from app.prices.store import has_prices
from app.provisioning.records import (
    UNREADABLE,
    AccountRecord,
    Current,
    KeyRecord,
    OrganizationRecord,
    PolicyRecord,
    SenderRecord,
    UseCaseRecord,
    WorkspaceRecord,
)
from app.use_cases.tables import senders, use_cases

R = TypeVar("R")


def lock_for_applying(connection: Connection) -> None:
    """Serialize applies until the end of the transaction."""
    query = select(organizations.c.id).order_by(organizations.c.id)
    connection.execute(query.with_for_update(key_share=True)).all()


@dataclass(frozen=True, slots=True)
class Named:
    """The accounts of a file, and its workspaces with a country map, and with guards."""

    account_sids: frozenset[str]
    with_map: frozenset[UUID | str | None]
    with_guards: frozenset[UUID | str | None]


def load_current(connection: Connection, cipher: Cipher, named: Named, now: datetime) -> Current:
    """Load the current state: accounts, policies and guards of the file, and live keys.

    Configuration is a few rows per workspace, so it is read as a whole.
    """
    by_sid = provider_accounts.c.sid.in_(sorted(named.account_sids))
    accounts = connection.execute(select(provider_accounts).where(by_sid))
    stored_workspaces = _by_id(connection, workspaces, WorkspaceRecord)
    return Current(
        organizations=_by_id(connection, organizations, OrganizationRecord),
        accounts={row.sid: _account(row, cipher) for row in accounts},
        workspaces=stored_workspaces,
        policies={
            known.id: _policy(connection, known.id, now)
            for known in stored_workspaces.values()
            if not named.with_map.isdisjoint((known.id, known.name))
        },
        use_cases=_by_id(connection, use_cases, UseCaseRecord),
        senders=_ordered(connection, senders, SenderRecord),
        keys=_live_keys(connection, now),
        guards={
            known.id: load_guards(connection, known.id).configuration
            for known in stored_workspaces.values()
            if not named.with_guards.isdisjoint((known.id, known.name))
        },
        has_prices=has_prices(connection),
    )


def _policy(connection: Connection, workspace_id: UUID, now: datetime) -> PolicyRecord:
    effective = load_effective(connection, workspace_id)
    live = tuple(rule for rule in effective.state.rules if rule.is_live(now))
    state = replace(effective.state, rules=live, inherits=effective.inherits)
    return PolicyRecord(workspace_id, state)


def _by_id(connection: Connection, table: Table, kind: type[R]) -> dict[UUID, R]:
    query = select(table).order_by(table.c.id)
    return {row.id: _record(kind, row) for row in connection.execute(query)}


def _ordered(connection: Connection, table: Table, kind: type[R]) -> tuple[R, ...]:
    rows = connection.execute(select(table).order_by(table.c.id))
    return tuple(_record(kind, row) for row in rows)


def _live_keys(connection: Connection, now: datetime) -> tuple[KeyRecord, ...]:
    keys = access_keys.c
    query = select(access_keys).where(
        keys.revoked_at.is_(None), or_(keys.expires_at.is_(None), keys.expires_at > now)
    )
    rows = connection.execute(query.order_by(keys.id))
    return tuple(_record(KeyRecord, row) for row in rows)


def _record(kind: type[R], row: AnyRow) -> R:
    names: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]
    return kind(**{name: _value(getattr(row, name)) for name in names})


def _value(value: Any) -> Any:
    # The only lists stored are sets of countries: their order means nothing.
    return tuple(sorted(value)) if isinstance(value, list) else value


def _account(row: AnyRow, cipher: Cipher) -> AccountRecord:
    following = row.next_auth_token
    return AccountRecord(
        sid=row.sid,
        organization_id=row.organization_id,
        auth_token=_opened(cipher, row.sid, row.auth_token),
        next_auth_token=None if following is None else _opened(cipher, row.sid, following),
    )


def _opened(cipher: Cipher, sid: str, encrypted: str) -> str:
    with suppress(DecryptionError):
        return cipher.decrypt(sid, encrypted)
    return UNREADABLE
