"""Sealing the secrets of second factors anew with the first key."""

from app.access.resealing import Resealed, reseal_rows
from app.db.engine import Database
from app.db.vault import Vault
from app.people.second_factor import totp_owner
from app.people.tables import users


def reseal_second_factors(database: Database, vault: Vault) -> Resealed:
    """Seal every secret anew that an older key sealed; see `app.access.resealing.reseal_rows`."""
    return reseal_rows(database, vault, (users.c.totp_secret,), totp_owner)
