"""The only module that reads the system clock; also the format of times on the wire.

All hosts follow the clock of their database: see `app.db.clock`.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import overload

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)

# Smaller differences are ignored: synchronized clocks differ by less.
_TOLERATED = timedelta(seconds=1)
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class _Measurement:
    """The host's clock compared to the reference, and to the monotonic clock."""

    ahead: timedelta
    wall_less_monotonic: float


_measured: _Measurement | None = None


def host_now() -> datetime:
    """Without the correction."""
    return datetime.now(UTC)


def utc_now() -> datetime:
    """Return the corrected time in UTC, cut to milliseconds."""
    host, measured = host_now(), _measured
    if measured is None or abs(measured.ahead) < _TOLERATED or _was_set(host, measured):
        return to_milliseconds(host)
    return to_milliseconds(host - measured.ahead)


def set_reference_time(asked_at: datetime, reference: datetime, answered_at: datetime) -> None:
    """A reference between two times of this host counts as no difference."""
    global _measured  # noqa: PLW0603  # a process has one clock
    # SQLite's time has milliseconds.
    asked_at = to_milliseconds(asked_at)
    if asked_at <= reference <= answered_at:
        ahead = timedelta(0)
    elif answered_at < reference:
        ahead = answered_at - reference
    else:
        ahead = asked_at - reference
    _measured = _Measurement(ahead, answered_at.timestamp() - time.monotonic())


def clock_skew() -> timedelta | None:
    """How far the host's clock was ahead; None if never measured."""
    return None if _measured is None else _measured.ahead


def is_measured() -> bool:
    """Whether the clock was measured, and not set since."""
    return _measured is not None and not _was_set(host_now(), _measured)


def _was_set(host: datetime, measured: _Measurement) -> bool:
    wall_less_monotonic = host.timestamp() - time.monotonic()
    return abs(wall_less_monotonic - measured.wall_less_monotonic) > _TOLERATED.total_seconds()


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of operations; tests replace ``now``."""

    now: Callable[[], datetime] = utc_now


def to_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def from_unix_time(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


@overload
def rfc3339(at: datetime) -> str: ...
@overload
def rfc3339(at: datetime | None) -> str | None: ...
def rfc3339(at: datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Raises ``ValueError``, also without an offset."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("not a time with its offset, for example 2026-01-31T12:00:00Z")
    try:
        return to_milliseconds(datetime.fromisoformat(text.upper()).astimezone(UTC))
    except OverflowError as problem:
        raise ValueError("out of the range of years 1 to 9999 in UTC") from problem


def shifted(at: datetime, by: timedelta) -> datetime:
    """Move a time, limited to the years 1 to 9999."""
    try:
        return at + by
    except OverflowError:
        return _FIRST if by < timedelta(0) else _LAST


def pause_after(failures: int, first: timedelta, longest: timedelta) -> timedelta:
    """Each failure doubles the pause."""
    return min(first * (1 << min(failures - 1, 10)), longest)


def read_retry_after(header: str | None, now: datetime) -> int | None:
    """Read ``Retry-After`` (RFC 9110), seconds or a date, as seconds, at least 0."""
    given = (header or "").strip()
    if given.isascii() and given.isdecimal():
        return int(given[:_MOST_DIGITS])
    try:
        until = parsedate_to_datetime(given)
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return max(0, round((until - now).total_seconds()))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
