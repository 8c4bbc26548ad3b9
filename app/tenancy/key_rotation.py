"""Re-encryption of stored secrets with the first encryption key."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, select, update

from app.access.tables import provider_accounts
from app.db.encryption import Cipher
from app.db.engine import Database
from app.users.second_factor import pending_totp_owner, totp_owner
from app.users.tables import sessions, users
from app.webhooks.signing import secret_owner
from app.webhooks.tables import webhook_endpoints


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """The numbers of re-encrypted and of current values."""

    changed: int
    current: int


def reencrypt_accounts(database: Database, cipher: Cipher) -> Reencrypted:
    columns = provider_accounts.c
    return reencrypt_rows(database, cipher, (columns.auth_token, columns.next_auth_token), str)


def reencrypt_rows(
    database: Database,
    cipher: Cipher,
    encrypted: tuple[Column[Any], ...],
    owner_of: Callable[[Any], str],
) -> Reencrypted:
    """Re-encrypt the values of older keys; an interrupted run can be repeated.

    ``encrypted`` are nullable columns of one table; ``owner_of`` names a row by its primary
    key. Raises `DecryptionError`; earlier rows are done.
    """
    table: Table = encrypted[0].table
    (key,) = table.primary_key.columns
    with database.reading() as connection:
        keys = list(connection.execute(select(key)).scalars())
    changed = current = 0
    for one in keys:
        owner = owner_of(one)
        with database.writing() as connection:
            query = select(*encrypted).where(key == one).with_for_update(key_share=True)
            row = connection.execute(query).mappings().one_or_none()
            found = {name: value for name, value in (row or {}).items() if value is not None}
            old = {name: value for name, value in found.items() if not cipher.is_current(value)}
            if old:
                renewed = {
                    name: cipher.encrypt(owner, cipher.decrypt(owner, v)) for name, v in old.items()
                }
                connection.execute(update(table).where(key == one).values(**renewed))
        changed += len(old)
        current += len(found) - len(old)
    return Reencrypted(changed, current)


def reencrypt_second_factors(database: Database, cipher: Cipher) -> Reencrypted:
    of_users = reencrypt_rows(database, cipher, (users.c.totp_secret,), totp_owner)
    pending = (sessions.c.pending_totp_secret,)
    of_sessions = reencrypt_rows(database, cipher, pending, pending_totp_owner)
    return Reencrypted(
        of_users.changed + of_sessions.changed, of_users.current + of_sessions.current
    )


def reencrypt_endpoints(database: Database, cipher: Cipher) -> Reencrypted:
    columns = webhook_endpoints.c
    return reencrypt_rows(database, cipher, (columns.secret, columns.previous_secret), secret_owner)
