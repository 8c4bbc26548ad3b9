"""Keyed pseudonyms of phone numbers: without the key, trying all numbers is useless."""

import hashlib
import hmac

_DIGITS = 15


def pseudonym_of(key: str, number: str) -> str:
    """Return ``~`` and 15 hexadecimal digits."""
    mac = hmac.new(key.encode(), number.encode(), hashlib.sha256)
    return "~" + mac.hexdigest()[:_DIGITS]
