"""Whole numbers in requests: up to nine ASCII digits."""

import re
from typing import Final

_DIGITS: Final = re.compile(r"[0-9]{1,9}")


def read_whole_number(text: str, low: int, high: int) -> int | None:
    """Returns null for other texts and numbers out of bounds."""
    found = int(text) if _DIGITS.fullmatch(text) else low - 1
    return found if low <= found <= high else None
