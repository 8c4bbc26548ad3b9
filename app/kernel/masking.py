"""How a phone number is shown where the whole of it must not appear."""

import re

_E164 = re.compile(r"(?:\+|%2B)\d{5,15}(?!\d)", re.IGNORECASE)
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
