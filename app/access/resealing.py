"""Sealing every provider token anew with the first key: resumable, a row at a time."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from app.access.tables import provider_accounts
from app.db.engine import Database
from app.db.vault import Vault

_SEALED = ("auth_token", "next_auth_token")


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many values were sealed anew, and how many had the first key already."""

    changed: int
    current: int


def reseal_accounts(database: Database, vault: Vault) -> Resealed:
    """Seal what an older key sealed; ending it half-way loses nothing, the next run goes on.

    Raises:
        SealBroken: a value can be opened with none of the keys; those before it are done.
    """
    with database.reading() as connection:
        sids = list(connection.execute(select(provider_accounts.c.sid)).scalars())
    changed = current = 0
    for sid in sids:
        with database.writing() as connection:
            row = connection.execute(
                select(provider_accounts).where(provider_accounts.c.sid == sid).with_for_update()
            ).one()
            found: dict[str, Any] = {name: getattr(row, name) for name in _SEALED}
            old = {n: v for n, v in found.items() if v is not None and not vault.is_current(v)}
            current += sum(v is not None for v in found.values()) - len(old)
            if old:
                renewed = {name: vault.seal(sid, vault.open(sid, v)) for name, v in old.items()}
                statement = update(provider_accounts).where(provider_accounts.c.sid == sid)
                connection.execute(statement.values(**renewed))
                changed += len(old)
    return Resealed(changed, current)
