"""Key rotation of second factors."""

from app.access.resealing import Resealed, reseal_rows
from app.db.engine import Database
from app.db.vault import Vault
from app.people.second_factor import pending_totp_owner, totp_owner
from app.people.tables import sessions, users


def reseal_second_factors(database: Database, vault: Vault) -> Resealed:
    """Encrypt again what an older key encrypted; see `app.access.resealing.reseal_rows`."""
    of_users = reseal_rows(database, vault, (users.c.totp_secret,), totp_owner)
    pending = (sessions.c.pending_totp_secret,)
    of_sessions = reseal_rows(database, vault, pending, pending_totp_owner)
    return Resealed(of_users.changed + of_sessions.changed, of_users.current + of_sessions.current)
