"""Pseudonyms of phone numbers: the same for the same number, and keyed.

Without the key, nobody finds the number by trying all of them.
"""

import hashlib
import hmac

_DIGITS = 15


def pseudonym_of(key: str, number: str) -> str:
    """Return the pseudonym of a number: ``~`` and 15 hexadecimal digits."""
    mac = hmac.new(key.encode(), number.encode(), hashlib.sha256)
    return "~" + mac.hexdigest()[:_DIGITS]
