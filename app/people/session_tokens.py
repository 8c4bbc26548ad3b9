"""Session tokens and the lifetime of sessions."""

import hashlib
import secrets
from datetime import datetime, timedelta

IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
# How long a session may wait for its second factor.
HALF_WAY = timedelta(minutes=10)
# A session's sign of life is written no more often than this.
TOUCHED_EVERY = timedelta(minutes=1)
_BYTES = 32
_MAX_CHARS = 100


def mint_session_token() -> str:
    """Make the token that only the browser keeps."""
    return secrets.token_urlsafe(_BYTES)


def hash_session_token(token: str) -> str:
    """Return the stored form of a token; tokens are random, so SHA-256 is sufficient."""
    return hashlib.sha256(token[:_MAX_CHARS].encode()).hexdigest()


def is_over(seen_at: datetime, ends_at: datetime, ended_at: datetime | None, now: datetime) -> bool:
    """Say whether a session was ended, was idle for too long or lasted long enough."""
    return ended_at is not None or ends_at <= now or seen_at + IDLE <= now


def wants_touch(seen_at: datetime, now: datetime) -> bool:
    """Say whether the sign of life is due."""
    return now - seen_at >= TOUCHED_EVERY
