"""The one place that asks the system for the time, and how a time is written on the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


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


def rfc3339(at: datetime) -> str:
    """Write an aware time as RFC 3339 in UTC with ``Z`` and milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time; a time without an offset is a ``ValueError``."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time needs its offset, for example 2026-01-31T12:00:00Z")
    return to_milliseconds(at.astimezone(UTC))
