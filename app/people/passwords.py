"""Passwords: how they are kept (argon2id) and which are taken. Knows nothing of who has them."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_CHARS = 12
MAX_CHARS = 200
_GENERATED_BYTES = 15
_hasher = PasswordHasher()


def mistake_in_password(password: str) -> str | None:
    """Say what is wrong with a new password, or None."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        return f"Must have {MIN_CHARS} to {MAX_CHARS} characters."
    if len(set(password)) < MIN_CHARS // 3:
        return "Repeats too few characters."
    return None


def generate_password() -> str:
    """Make a password that nobody needs to think of: 20 characters."""
    return secrets.token_urlsafe(_GENERATED_BYTES)


def hash_password(password: str) -> str:
    """Return what is stored of a password; takes some tens of milliseconds on purpose."""
    return _hasher.hash(password)


def is_password(stored: str | None, given: str) -> bool:
    """Say whether a password is the stored one; takes as long where there is none."""
    try:
        _hasher.verify(stored or _nobodys(), given)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def needs_new_hash(stored: str) -> bool:
    """Say whether a hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(stored)


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe(_GENERATED_BYTES))
