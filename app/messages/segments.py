"""The number of SMS segments of a text. Pure.

Source: 3GPP TS 23.038 (GSM 7-bit alphabet) and TS 23.040 (153 septets or 67 UTF-16 units per
concatenated segment). A character of two units is never split.
"""

from collections.abc import Iterable

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION
_GSM_SINGLE, _GSM_PART = 160, 153
_UCS2_SINGLE, _UCS2_PART = 70, 67
_LAST_BMP = "\uffff"


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
    """Count segments if each character takes one place."""
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
