"""Masking of phone numbers."""

import re

_E164 = re.compile(r"(?:\+|%2B)\d{5,15}(?!\d)", re.IGNORECASE)
# Seven digits or more, however they are grouped; a date is none.
_NATIONAL = re.compile(r"(?<!\d)(?!\d{4}-\d\d-\d\d(?!\d))\(?\d(?:[\s().\-/]{0,2}\d){6,}")
_SHOWN_START = 3
_SHOWN_END = 2


def mask_number(number: str) -> str:
    """Keep the first three and the last two characters: ``+1*******00``."""
    hidden = len(number) - _SHOWN_START - _SHOWN_END
    if hidden <= 0:
        return "*" * len(number)
    return number[:_SHOWN_START] + "*" * hidden + number[-_SHOWN_END:]


def mask_numbers_in(text: str) -> str:
    """Mask everything in a text that looks like an E.164 number, URL-encoded or not."""
    return _E164.sub(lambda found: mask_number(found.group()), text)


def mask_every_number_in(text: str) -> str:
    """Mask what may be a phone number in a person's text, in national form as well."""
    return _NATIONAL.sub(lambda found: mask_number(found.group()), mask_numbers_in(text))
