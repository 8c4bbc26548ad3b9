"""Masks and keyed pseudonyms of phone numbers."""

import hashlib
import hmac
import re

_E164 = re.compile(r"(?:\+|%2B)\d{5,15}(?!\d)", re.IGNORECASE)
# Seven digits or more in any grouping, but not a date.
_NATIONAL = re.compile(r"(?<!\d)(?!\d{4}-\d\d-\d\d(?!\d))\(?\d(?:[\s().\-/]{0,2}\d){6,}")
_SHOWN_START = 3
_SHOWN_END = 2
_DIGITS = 15


def mask_number(number: str) -> str:
    """``+1*******00``."""
    hidden = len(number) - _SHOWN_START - _SHOWN_END
    if hidden <= 0:
        return "*" * len(number)
    return number[:_SHOWN_START] + "*" * hidden + number[-_SHOWN_END:]


def mask_numbers_in(text: str) -> str:
    """Mask E.164 numbers, also URL-encoded ones."""
    return _E164.sub(lambda found: mask_number(found.group()), text)


def mask_every_number_in(text: str) -> str:
    """Mask possible phone numbers, also in national form."""
    return _NATIONAL.sub(lambda found: mask_number(found.group()), mask_numbers_in(text))


def pseudonym_of(key: str, number: str) -> str:
    """Return ``~`` and 15 hexadecimal digits; without the key, trying all numbers is useless."""
    return "~" + hmac.new(key.encode(), number.encode(), hashlib.sha256).hexdigest()[:_DIGITS]
