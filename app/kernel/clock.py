"""The one place that asks the system for the time, and how a time is written on the wire."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)


def utc_now() -> datetime:
    """Return the current time in UTC, cut to the milliseconds that we store and show."""
    return to_milliseconds(datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Clock:
    """Where operations get the time; tests put their own ``now`` in."""

    now: Callable[[], datetime] = utc_now


def to_milliseconds(at: datetime) -> datetime:
    """Cut a time to whole milliseconds, the resolution of everything that is stored."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def from_unix_time(seconds: float) -> datetime:
    """Return the time of so many seconds since 1970 in UTC."""
    return _EPOCH + timedelta(seconds=seconds)


def rfc3339(at: datetime) -> str:
    """Write an aware time as RFC 3339 in UTC with ``Z`` and milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time; anything else, a time without an offset too, is a ``ValueError``."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("not a time with its offset, for example 2026-01-31T12:00:00Z")
    try:
        return to_milliseconds(datetime.fromisoformat(text.upper()).astimezone(UTC))
    except OverflowError as problem:
        raise ValueError("out of the range of years 1 to 9999 in UTC") from problem


def shifted(at: datetime, by: timedelta) -> datetime:
    """Return a time moved by a duration, or the first or last time of the years 1 to 9999."""
    try:
        return at + by
    except OverflowError:
        return _FIRST if by < timedelta(0) else _LAST
