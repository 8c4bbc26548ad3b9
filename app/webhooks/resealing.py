"""Key rotation of endpoint secrets."""

from app.access.resealing import Resealed, reseal_rows
from app.db.engine import Database
from app.db.vault import Vault
from app.webhooks.signing import secret_owner
from app.webhooks.tables import webhook_endpoints


def reseal_endpoints(database: Database, vault: Vault) -> Resealed:
    """Encrypt again what an older key encrypted; see `app.access.resealing.reseal_rows`."""
    columns = webhook_endpoints.c
    return reseal_rows(database, vault, (columns.secret, columns.previous_secret), secret_owner)
