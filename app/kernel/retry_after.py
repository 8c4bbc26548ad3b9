"""The ``Retry-After`` header of another server (RFC 9110): seconds or a date."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MOST_DIGITS = 9


def read_retry_after(header: str | None, now: datetime) -> int | None:
    """Return seconds, at least 0, or None."""
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
