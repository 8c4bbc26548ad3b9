"""Key rotation: encrypts stored secrets with the first key, row by row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, select, update

from app.access.tables import provider_accounts
from app.db.engine import Database
from app.db.vault import Vault


@dataclass(frozen=True, slots=True)
class Resealed:
    """The number of values encrypted again, and of those that had the first key already."""

    changed: int
    current: int


def reseal_accounts(database: Database, vault: Vault) -> Resealed:
    """Encrypt every provider token again that an older key encrypted; see `reseal_rows`."""
    columns = provider_accounts.c
    return reseal_rows(database, vault, (columns.auth_token, columns.next_auth_token), str)


def reseal_rows(
    database: Database,
    vault: Vault,
    sealed: tuple[Column[Any], ...],
    owner_of: Callable[[Any], str],
) -> Resealed:
    """Encrypt the values that an older key encrypted; an interrupted run can be repeated.

    ``sealed`` are nullable columns of one table; ``owner_of`` names a row by its primary key.

    Raises:
        SealBroken: no key decrypts a value; the rows before it are done.
    """
    table: Table = sealed[0].table
    (key,) = table.primary_key.columns
    with database.reading() as connection:
        keys = list(connection.execute(select(key)).scalars())
    changed = current = 0
    for one in keys:
        owner = owner_of(one)
        with database.writing() as connection:
            query = select(*sealed).where(key == one).with_for_update(key_share=True)
            row = connection.execute(query).mappings().one_or_none()
            found = {name: value for name, value in (row or {}).items() if value is not None}
            old = {name: value for name, value in found.items() if not vault.is_current(value)}
            if old:
                renewed = {name: vault.seal(owner, vault.open(owner, v)) for name, v in old.items()}
                connection.execute(update(table).where(key == one).values(**renewed))
        changed += len(old)
        current += len(found) - len(old)
    return Resealed(changed, current)
