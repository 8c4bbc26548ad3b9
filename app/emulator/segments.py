"""The number of segments of a message body (GSM 03.38, concatenated messages)."""

from collections.abc import Iterable
from typing import Final

_GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_ESCAPED: Final = frozenset("\f^{}\\[~]|€")
_GSM_SINGLE, _GSM_PART = 160, 153
_UCS2_SINGLE, _UCS2_PART = 70, 67
_LAST_OF_BASIC_PLANE: Final = 0xFFFF


def count_segments(body: str) -> int:
    """Counts segments; an empty body takes one."""
    if all(char in _GSM_BASIC or char in _GSM_ESCAPED for char in body):
        return _fill((1 + (char in _GSM_ESCAPED) for char in body), _GSM_SINGLE, _GSM_PART)
    return _fill(
        (1 + (ord(char) > _LAST_OF_BASIC_PLANE) for char in body), _UCS2_SINGLE, _UCS2_PART
    )


def _fill(widths: Iterable[int], single: int, part: int) -> int:
    """A character of two units is not split between two segments."""
    units = list(widths)
    if sum(units) <= single:
        return 1
    segments, used = 1, 0
    for width in units:
        if used + width > part:
            segments, used = segments + 1, 0
        used += width
    return segments
