"""Identifiers: UUIDv7 (RFC 9562) where we mint them, so that a newer row has a larger id."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLISECOND = 2**48 - 1


def new_id() -> UUID:
    """Mint a time-ordered identifier."""
    return uuid7()


def first_id_at(at: datetime) -> UUID:
    """Return the smallest UUIDv7 of a millisecond, the lower bound for a range of ids.

    A time that no UUIDv7 can hold has the bound of the first or last one that can be held.
    """
    milliseconds = min(max((at - _EPOCH) // timedelta(milliseconds=1), 0), _LAST_MILLISECOND)
    return UUID(int=(milliseconds << 80) | (7 << 76) | (0b10 << 62))


def parse_id(text: str) -> UUID | None:
    """Read a UUID in its usual form with hyphens, or return None."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
