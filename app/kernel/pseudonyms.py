"""Pseudonyms of phone numbers.

They are keyed, so that the number cannot be found by trying all numbers.
"""

import hashlib
import hmac

_DIGITS = 15


def pseudonym_of(key: str, number: str) -> str:
    """Return ``~`` and 15 hexadecimal digits, always the same for a number."""
    mac = hmac.new(key.encode(), number.encode(), hashlib.sha256)
    return "~" + mac.hexdigest()[:_DIGITS]
