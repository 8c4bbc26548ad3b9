"""Access tokens: format, checksum and hash.

``bp_`` + 32 random base-62 characters + 6 of checksum. The prefix lets secret scanners find a
leaked token; the checksum detects a damaged one without a query. Tokens are random, so SHA-256 is
sufficient for storage.
"""

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "bp_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARS = 32
_CHECKSUM_CHARS = 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_CHARS + _CHECKSUM_CHARS}}}", re.ASCII)


def mint_token() -> str:
    """Make a new token; it is shown once and never stored."""
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))
    return PREFIX + secret + _checksum(secret)


def is_well_formed(token: str) -> bool:
    """Say whether a text has the form and the checksum of a token."""
    if not _FORM.fullmatch(token):
        return False
    secret = token[len(PREFIX) : -_CHECKSUM_CHARS]
    return token.endswith(_checksum(secret))


def hash_token(token: str) -> str:
    """Return the stored form of a token: its SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(secret: str) -> str:
    number = zlib.crc32(secret.encode())
    digits = []
    for _ in range(_CHECKSUM_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
