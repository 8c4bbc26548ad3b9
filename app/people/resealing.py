"""Sealing every secret of a second factor anew with the first key: resumable, a row at a time."""

from sqlalchemy import select, update

from app.access.resealing import Resealed
from app.db.engine import Database
from app.db.vault import Vault
from app.people.second_factor import totp_owner
from app.people.tables import users


def reseal_second_factors(database: Database, vault: Vault) -> Resealed:
    """Seal what an older key sealed; ending it half-way loses nothing, the next run goes on.

    Raises:
        SealBroken: a value can be opened with none of the keys; those before it are done.
    """
    changed = current = 0
    with database.reading() as connection:
        has_one = select(users.c.id).where(users.c.totp_secret.is_not(None))
        ids = list(connection.execute(has_one).scalars())
    for user_id in ids:
        owner, one = totp_owner(user_id), users.c.id == user_id
        with database.writing() as connection:
            sealed = connection.execute(
                select(users.c.totp_secret).where(one).with_for_update()
            ).scalar_one()
            if sealed is None:
                continue
            if vault.is_current(sealed):
                current += 1
                continue
            renewed = vault.seal(owner, vault.open(owner, sealed))
            connection.execute(update(users).where(one).values(totp_secret=renewed))
            changed += 1
    return Resealed(changed, current)
