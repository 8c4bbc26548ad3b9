"""Sealing every secret of an endpoint anew with the first key: resumable, a row at a time."""

from sqlalchemy import select, update

from app.access.resealing import Resealed
from app.db.engine import Database
from app.db.vault import Vault
from app.webhooks.signing import secret_owner
from app.webhooks.tables import webhook_endpoints

_SEALED = ("secret", "previous_secret")


def reseal_endpoints(database: Database, vault: Vault) -> Resealed:
    """Seal what an older key sealed; ending it half-way loses nothing, the next run goes on.

    Raises:
        SealBroken: a value can be opened with none of the keys; those before it are done.
    """
    columns = webhook_endpoints.c
    with database.reading() as connection:
        ids = list(connection.execute(select(columns.id)).scalars())
    changed = current = 0
    for endpoint_id in ids:
        owner = secret_owner(endpoint_id)
        one = columns.id == endpoint_id
        with database.writing() as connection:
            row = connection.execute(
                select(webhook_endpoints).where(one).with_for_update(key_share=True)
            ).one_or_none()
            found = {name: getattr(row, name, None) for name in _SEALED}
            sealed = {name: value for name, value in found.items() if value is not None}
            old = {name: v for name, v in sealed.items() if not vault.is_current(v)}
            if old:
                renewed = {name: vault.seal(owner, vault.open(owner, v)) for name, v in old.items()}
                connection.execute(update(webhook_endpoints).where(one).values(**renewed))
        changed += len(old)
        current += len(sealed) - len(old)
    return Resealed(changed, current)
