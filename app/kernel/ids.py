"""Time-ordered ids: UUIDv7 (RFC 9562); ids of the provider; names that are no ids."""

import os
import random
import re
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.kernel.clock import utc_now

# Used for "no object" in columns that must not be null.
NO_ID = UUID(int=0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLISECOND = 2**48 - 1
_MILLISECOND = timedelta(milliseconds=1)
# If the clock is set back by less, ids continue from the last time; by more, from the new one.
_COUNTED_ON_MILLISECONDS = 1000
# The counter within a millisecond takes the 12 bits before the variant and 14 of those behind it.
_COUNTER_BITS = 26
_LOW_COUNTER_BITS = 14
_RANDOM_BITS = 48
_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}", re.ASCII)
MAX_NAME_CHARS = 200


class _Mint:
    """Creates increasing ids within this process, unless its clock goes back far.

    Ids are no secrets.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._counter = 0

    def __call__(self) -> UUID:
        drawn = random_bits(_COUNTER_BITS - 1 + _RANDOM_BITS)
        now = (utc_now() - _EPOCH) // _MILLISECOND
        with self._lock:
            if 0 <= self._milliseconds - now <= _COUNTED_ON_MILLISECONDS:
                self._counter += 1
                if self._counter >> _COUNTER_BITS:
                    self._milliseconds, self._counter = self._milliseconds + 1, 0
            else:
                # Half of the counter's range stays free for later ids of this millisecond.
                self._milliseconds, self._counter = now, drawn >> _RANDOM_BITS
            milliseconds, counter = self._milliseconds, self._counter
        high, low = counter >> _LOW_COUNTER_BITS, counter & ((1 << _LOW_COUNTER_BITS) - 1)
        tail = (low << _RANDOM_BITS) | (drawn & ((1 << _RANDOM_BITS) - 1))
        return UUID(int=_first_of(milliseconds) | (high << 64) | tail)

    def reset_lock(self) -> None:
        """Replace the lock, which another thread may hold at a fork."""
        self._lock = threading.Lock()


_mint = _Mint()
# Its own, because others may seed the one of the module.
_random = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_mint.reset_lock)
os.register_at_fork(after_in_child=_random.seed)


def new_id() -> UUID:
    return _mint()


def random_bits(count: int) -> int:
    """Not for secrets: asking the system releases Python's lock, as `random` does not."""
    return _random.getrandbits(count)


def first_id_at(at: datetime) -> UUID:
    """Return the smallest UUIDv7 of a millisecond, limited to the range of UUIDv7."""
    return UUID(int=_first_of(min(max((at - _EPOCH) // _MILLISECOND, 0), _LAST_MILLISECOND)))


def _first_of(milliseconds: int) -> int:
    return (milliseconds << 80) | (7 << 76) | (0b10 << 62)


def parse_id(text: str) -> UUID | None:
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None


def canonical_sid(text: str) -> str:
    """Lower-case the digits of Twilio's "String Identifier"; return other texts unchanged."""
    return text[:2] + text[2:].lower() if _SID.fullmatch(text) else text


def mistake_in_name(name: str) -> str | None:
    if not 0 < len(name) <= MAX_NAME_CHARS or name != name.strip() or not name.isprintable():
        return f"Must have 1 to {MAX_NAME_CHARS} characters on one line, with no space around them."
    if parse_id(name) is not None:
        return "Must not look like an id."
    return None
