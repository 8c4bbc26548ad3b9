"""Values of an installation: check values of its secrets, and the pseudonym key.

All hosts need the same secrets; the first host writes the check values.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Column, Connection, String, Text, column, select, table, update

from app.db.encryption import Cipher, DecryptionError
from app.db.engine import Database
from app.db.rows import insert_on_conflict
from app.db.types import add_table
from app.kernel.errors import ServiceUnavailable
from app.kernel.masking import pseudonym_of

installation = add_table(
    "installation",
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

SECRET_KEY = "BORDERPOST_SECRET_KEY"  # noqa: S105 (a name, not a value)
ENCRYPTION_KEYS = "BORDERPOST_ENCRYPTION_KEYS"
_SECRET_KEY_CHECK = "secret_key_check"  # noqa: S105
_ENCRYPTION_CHECK = "encryption_check"
_PSEUDONYM_KEY = "pseudonym_key"
_CHECKED_TEXT = "the secrets of a Borderpost installation"
# Written by the migration if pseudonyms made with the secret key may exist.
_KEEP_SECRET_KEY = ""
_ACCOUNTS = table("provider_accounts", column("sid"), column("auth_token"))
_A_STORED_TOKEN = select(_ACCOUNTS).order_by(_ACCOUNTS.c.sid).limit(1)


class SecretsDiffer(Exception):
    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(
            f"{' and '.join(names)}: not the value that this database was set up with: give every "
            "host the same one; to change it on purpose, run `borderpost secrets rotate`"
        )


@dataclass(frozen=True, slots=True)
class InstallationSecrets:
    secret_key: str = field(repr=False)
    cipher: Cipher = field(repr=False)

    def prepare(self, database: Database) -> None:
        """Write the missing values; existing ones stay."""
        with database.reading() as connection:
            found = _load(connection)
        if not {_SECRET_KEY_CHECK, _ENCRYPTION_CHECK, _PSEUDONYM_KEY} <= found.keys():
            with database.writing() as connection:
                # A host with wrong keys must not write the check values.
                if _can_decrypt(connection, self.cipher, {}):
                    self._write_missing(connection)
        elif found[_PSEUDONYM_KEY] == _KEEP_SECRET_KEY:
            with database.writing() as connection:
                self._keep_secret_key(connection)

    def find_differing(self, connection: Connection) -> list[str]:
        found, differing = _load(connection), []
        check = found.get(_SECRET_KEY_CHECK)
        if check is not None and not hmac.compare_digest(check, self._secret_key_check()):
            differing.append(SECRET_KEY)
        if not _can_decrypt(connection, self.cipher, found):
            differing.append(ENCRYPTION_KEYS)
        return differing

    def load_pseudonym_key(self, database: Database) -> str:
        """Create it at random if missing; raises `SecretsDiffer`."""
        self.prepare(database)
        with database.reading() as connection:
            differing = self.find_differing(connection)
            if differing:
                raise SecretsDiffer(differing)
            return self.cipher.decrypt(_PSEUDONYM_KEY, _load(connection)[_PSEUDONYM_KEY])

    def accept(self, database: Database) -> None:
        """Make this host's secrets the installation's; the pseudonym key stays.

        Raises `DecryptionError` if this host cannot decrypt the pseudonym key.
        """
        self.prepare(database)
        with database.writing() as connection:
            pseudonym_key = self.cipher.decrypt(_PSEUDONYM_KEY, _load(connection)[_PSEUDONYM_KEY])
            for name, value in self._values(pseudonym_key).items():
                row = update(installation).where(installation.c.name == name)
                connection.execute(row.values(value=value))

    def _write_missing(self, connection: Connection) -> None:
        self._keep_secret_key(connection)
        values = self._values(secrets.token_urlsafe(48))
        # All hosts insert in the same order, so that two first starts cannot deadlock.
        rows = [{"name": name, "value": values[name]} for name in sorted(values)]
        wanted = insert_on_conflict(connection, installation).values(rows)
        connection.execute(wanted.on_conflict_do_nothing())

    def _keep_secret_key(self, connection: Connection) -> None:
        encrypted = self.cipher.encrypt(_PSEUDONYM_KEY, self.secret_key)
        columns = installation.c
        kept = columns.name == _PSEUDONYM_KEY, columns.value == _KEEP_SECRET_KEY
        connection.execute(update(installation).where(*kept).values(value=encrypted))

    def _values(self, pseudonym_key: str) -> dict[str, str]:
        return {
            _SECRET_KEY_CHECK: self._secret_key_check(),
            _ENCRYPTION_CHECK: self.cipher.encrypt(_ENCRYPTION_CHECK, _CHECKED_TEXT),
            _PSEUDONYM_KEY: self.cipher.encrypt(_PSEUDONYM_KEY, pseudonym_key),
        }

    def _secret_key_check(self) -> str:
        text = _CHECKED_TEXT.encode()
        return hmac.new(self.secret_key.encode(), text, hashlib.sha256).hexdigest()


def encrypt_for_all(connection: Connection, cipher: Cipher, owner: str, secret: str) -> str:
    """Encrypt a secret to store it; raises `ServiceUnavailable` if this host has other keys.

    The other hosts could not decrypt it.
    """
    found = _load(connection)
    if _ENCRYPTION_CHECK in found and not _can_decrypt(connection, cipher, found):
        raise ServiceUnavailable from SecretsDiffer([ENCRYPTION_KEYS])
    return cipher.encrypt(owner, secret)


def _can_decrypt(connection: Connection, cipher: Cipher, found: Mapping[str, str]) -> bool:
    """Whether the keys are those of the check value, or of a stored token without one."""
    owner, encrypted = _ENCRYPTION_CHECK, found.get(_ENCRYPTION_CHECK)
    if encrypted is None:
        row = connection.execute(_A_STORED_TOKEN).one_or_none()
        if row is None:
            return True
        owner, encrypted = row.sid, row.auth_token
    try:
        cipher.decrypt(owner, encrypted)
    except DecryptionError:
        return False
    return True


def _load(connection: Connection) -> dict[str, str]:
    rows = connection.execute(select(installation.c.name, installation.c.value))
    return {row.name: row.value for row in rows}


class Pseudonyms:
    def __init__(self, database: Database, secrets: InstallationSecrets) -> None:
        self._database = database
        self._secrets = secrets
        self._key: str | None = None

    def __call__(self, number: str) -> str:
        """Raises `ServiceUnavailable`, also if this host has other secrets."""
        if self._key is None:
            try:
                self._key = self._secrets.load_pseudonym_key(self._database)
            except SecretsDiffer as problem:
                raise ServiceUnavailable from problem
        return pseudonym_of(self._key, number)
