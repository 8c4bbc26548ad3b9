"""The number of SMS segments of a text. Pure.

Source: 3GPP TS 23.038 (GSM 7-bit alphabet) and TS 23.040 (concatenation: 153 septets or 67 UTF-16
units per segment). A character of two units is never split.
"""

from collections.abc import Iterable

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM_SINGLE, _GSM_PART = 160, 153
_UCS2_SINGLE, _UCS2_PART = 70, 67
_LAST_BMP = 0xFFFF


def count_segments(text: str) -> int:
    """Count the segments of a text as it is sent, without look-alike replacement."""
    if all(char in _BASIC or char in _EXTENSION for char in text):
        return _count((2 if char in _EXTENSION else 1 for char in text), _GSM_SINGLE, _GSM_PART)
    return _count((2 if ord(char) > _LAST_BMP else 1 for char in text), _UCS2_SINGLE, _UCS2_PART)


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
