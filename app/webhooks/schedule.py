"""The retry schedule of deliveries, and the disabling of failing endpoints. Pure.

Delays are those of the Standard Webhooks specification, from the previous attempt on.
"""

from datetime import datetime, timedelta

from app.kernel.retry_after import read_retry_after

DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MAX_ATTEMPTS = len(DELAYS) + 1
DISABLED_AFTER = timedelta(days=5)
LONGEST_ASKED = timedelta(hours=24)
# Longer than any delay between attempts: failures before such a pause do not count.
_QUIET = timedelta(hours=48)
_JITTER = 0.1


def next_attempt_at(
    attempts: int, now: datetime, chance: float, asked: timedelta | None = None
) -> datetime | None:
    """Return the time of the next attempt; None after the last one.

    ``chance``, from 0 to 1, varies the delay by 10% either way. ``asked`` is the receiver's
    Retry-After, followed up to a day.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    delay = DELAYS[attempts - 1] * (1 - _JITTER + 2 * _JITTER * chance)
    if asked is not None:
        delay = max(delay, min(asked, LONGEST_ASKED))
    return now + delay


def asked_delay(retry_after: str | None, now: datetime) -> timedelta | None:
    seconds = read_retry_after(retry_after, now)
    return None if seconds is None else timedelta(seconds=seconds)


def failing_since(
    first_failed_at: datetime | None, last_failed_at: datetime | None, now: datetime
) -> datetime:
    """Return since when an endpoint that fails now has only failed."""
    if first_failed_at is None or last_failed_at is None or now - last_failed_at > _QUIET:
        return now
    return first_failed_at


def is_disabled_after(since: datetime, now: datetime) -> bool:
    return now - since >= DISABLED_AFTER
