"""Re-encryption of stored secrets with the first encryption key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select, update

from app.access.tables import provider_accounts
from app.db.encryption import Cipher
from app.db.engine import Database
from app.users.second_factor import pending_totp_owner, totp_owner
from app.users.tables import sessions, users
from app.webhooks.endpoints import secret_owner
from app.webhooks.tables import webhook_endpoints

# The encrypted columns of each table, whose values may be null, and the function that returns the
# owner for whom a row's values were encrypted.
_ENCRYPTED: Mapping[Table, tuple[tuple[str, ...], Callable[[Any], str]]] = {
    provider_accounts: (("auth_token", "next_auth_token"), str),
    webhook_endpoints: (("secret", "previous_secret"), secret_owner),
    users: (("totp_secret",), totp_owner),
    sessions: (("pending_totp_secret",), pending_totp_owner),
}


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """The numbers of re-encrypted and of current values."""

    changed: int = 0
    current: int = 0

    def __add__(self, other: "Reencrypted") -> "Reencrypted":
        return Reencrypted(self.changed + other.changed, self.current + other.current)


def reencrypt(database: Database, cipher: Cipher) -> Reencrypted:
    """May be repeated if interrupted. Raises `DecryptionError`; earlier rows are done."""
    return sum((reencrypt_table(database, cipher, table) for table in _ENCRYPTED), Reencrypted())


def reencrypt_table(database: Database, cipher: Cipher, table: Table) -> Reencrypted:
    names, owner_of = _ENCRYPTED[table]
    (key,) = table.primary_key.columns
    with database.reading() as connection:
        keys = list(connection.execute(select(key)).scalars())
    changed = current = 0
    for one in keys:
        owner = owner_of(one)
        with database.writing() as connection:
            query = select(*(table.c[name] for name in names)).where(key == one)
            locked = connection.execute(query.with_for_update(key_share=True))
            row = locked.mappings().one_or_none()
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
