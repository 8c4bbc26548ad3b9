"""Encryption at rest: the first key encrypts, any key decrypts.

The ciphertext contains the owner's name, so a value copied to another row is refused.
"""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_BETWEEN = "\x00"


class DecryptionError(Exception):
    """The value belongs to another row, or no key decrypts it."""


class Cipher:
    def __init__(self, keys: Sequence[str]) -> None:
        self._first = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        # The first use sets OpenSSL up; processes that are forked later share its 4 MiB.
        self._first.encrypt(b"")

    def encrypt(self, owner: str, secret: str) -> str:
        return self._fernet.encrypt(f"{owner}{_BETWEEN}{secret}".encode()).decode("ascii")

    def is_current(self, encrypted: str) -> bool:
        try:
            self._first.decrypt(encrypted.encode("ascii"))
        except InvalidToken:
            return False
        return True

    def decrypt(self, owner: str, encrypted: str) -> str:
        """Raises `DecryptionError`."""
        try:
            found_owner, _, secret = (
                self._fernet.decrypt(encrypted.encode("ascii")).decode().partition(_BETWEEN)
            )
        except InvalidToken as problem:
            raise DecryptionError(
                f"the secret of {owner} cannot be decrypted: is the key it was encrypted with "
                "missing from BORDERPOST_ENCRYPTION_KEYS?"
            ) from problem
        if found_owner != owner:
            raise DecryptionError(f"the secret stored for {owner} was encrypted for another row")
        return secret
