"""When sign-in is paused after wrong passwords: pure."""

from datetime import datetime, timedelta

FREE_TRIES = 5
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)
_MOST_DOUBLINGS = 10


def is_paused(locked_until: datetime | None, now: datetime) -> bool:
    """Say whether even the right password is refused at this time."""
    return locked_until is not None and locked_until > now


def paused_until(failures: int, now: datetime) -> datetime | None:
    """Return when sign-in is possible again after so many failures in a row; None: at once.

    A minute from the fifth on, twice as long after each more, an hour at most.
    """
    if failures < FREE_TRIES:
        return None
    doublings: int = 1 << min(failures - FREE_TRIES, _MOST_DOUBLINGS)
    return now + min(_FIRST_PAUSE * doublings, _LONGEST_PAUSE)
