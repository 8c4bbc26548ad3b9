"""Parsing of whole numbers: ASCII digits only, unlike ``int``."""

_MOST_DIGITS = 18
LARGEST_STORED = 2**31 - 1
LARGEST_PORT = 2**16 - 1


def read_whole_number(text: str, least: int = 0, most: int = LARGEST_STORED) -> int | None:
    """Return None for other texts and numbers out of bounds."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _MOST_DIGITS:
        return None
    found = int(text)
    return found if least <= found <= most else None
