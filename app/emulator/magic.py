"""Decides which phone numbers always fail, and how.

Source: Twilio's page on test credentials. Twilio honours them only there and never with a
Messaging Service; here they always count.
"""

from collections.abc import Mapping
from typing import Final

MAGIC_TO: Final[Mapping[str, int]] = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_FROM: Final[Mapping[str, int]] = {
    "+15005550001": 21212,
    "+15005550007": 21606,
    "+15005550008": 21611,
}
