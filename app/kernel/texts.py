"""Storable and visible texts, and their SMS segments.

Source of segments: 3GPP TS 23.038 (GSM 7-bit alphabet) and TS 23.040 (153 septets or 67 UTF-16
units per concatenated segment). A character of two units is never split.
"""

import re
import unicodedata
from collections.abc import Iterable

UNSTORABLE = "Holds a character that cannot be sent."
# Controls, format characters, halves of surrogate pairs, spaces, line and paragraph separators.
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
# Invisible characters of visible categories: Unicode's Default_Ignorable_Code_Point outside of the
# categories above, and letters and symbols that are blank.
_BLANK_RANGES = (
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors
    (0x2065, 0x2065),
    (0x2800, 0x2800),  # braille pattern blank
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0xFFF0, 0xFFF8),
    (0x13441, 0x13442),  # Egyptian hieroglyphic blanks
    (0x16FE4, 0x16FE4),  # Khitan filler
    (0x1D159, 0x1D159),  # musical null notehead
    (0xE0000, 0xE0FFF),  # tags and variation selectors
)
_UNSTORABLE_CHARACTER = re.compile("[\x00\ud800-\udfff]")
# Nearly every text has one of these.
_COMMON = re.compile("[!-~]")
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION
_GSM_SINGLE, _GSM_PART = 160, 153
_UCS2_SINGLE, _UCS2_PART = 70, 67
_LAST_BMP = "\uffff"


def is_storable(text: str) -> bool:
    """Whether every database accepts a text: no NUL and no lone surrogate."""
    return _UNSTORABLE_CHARACTER.search(text) is None


def has_visible_character(text: str) -> bool:
    return _COMMON.search(text) is not None or any(_is_visible(char) for char in text)


def _is_visible(char: str) -> bool:
    if unicodedata.category(char) in _INVISIBLE_CATEGORIES:
        return False
    code = ord(char)
    return not any(first <= code <= last for first, last in _BLANK_RANGES)


def count_segments(text: str) -> int:
    """Count the segments of a text without look-alike replacement."""
    if _GSM.issuperset(text):
        if _EXTENSION.isdisjoint(text):
            return _count_alike(len(text), _GSM_SINGLE, _GSM_PART)
        return _count((2 if char in _EXTENSION else 1 for char in text), _GSM_SINGLE, _GSM_PART)
    if max(text) <= _LAST_BMP:
        return _count_alike(len(text), _UCS2_SINGLE, _UCS2_PART)
    return _count((2 if char > _LAST_BMP else 1 for char in text), _UCS2_SINGLE, _UCS2_PART)


def _count_alike(places: int, single: int, part: int) -> int:
    return 1 if places <= single else -(-places // part)


def _count(widths: Iterable[int], single: int, part: int) -> int:
    places = list(widths)
    if sum(places) <= single:
        return 1
    segments, used = 1, 0
    for width in places:
        if used + width > part:
            segments, used = segments + 1, 0
        used += width
    return segments


def without_formula(text: str) -> str:
    """Prevent that a spreadsheet reads a cell as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
