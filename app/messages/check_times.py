"""The times at which the provider is asked about a message. Pure.

Without receipts, an accepted message stays `sent` after the last check.
"""

from datetime import datetime, timedelta

from app.kernel.clock import pause_after

UNSETTLED_CHECKS_BEGIN = timedelta(seconds=60)
UNSETTLED_GIVEN_UP = timedelta(minutes=15)
_OFTEN_UNTIL = timedelta(minutes=3)
_OFTEN = timedelta(seconds=15)
_SELDOM = timedelta(seconds=60)

ACCEPTED_CHECKS = tuple(timedelta(hours=hours) for hours in (0.25, 1, 6, 24, 72))

# After a failure to ask, try again soon, until a day after the last check.
_TRY_AGAIN = timedelta(minutes=5)
TRIED_UNTIL = ACCEPTED_CHECKS[-1] + timedelta(hours=24)

# The pauses before each resend, since the last creation; no further resends.
RESEND_PAUSES = (timedelta(seconds=120), timedelta(seconds=180), timedelta(seconds=300))
_RESENDS_END = UNSETTLED_GIVEN_UP - RESEND_PAUSES[0]

# The first and the longest pause. An account that refuses our credentials is asked less and less
# often. A silent account, which may answer again at any time, is asked sooner.
_REFUSED_PAUSES = timedelta(minutes=1), timedelta(hours=6)
_SILENT_PAUSES = _OFTEN, _TRY_AGAIN


def is_given_up(created_at: datetime, now: datetime) -> bool:
    return now - created_at >= UNSETTLED_GIVEN_UP


def next_unsettled_check(created_at: datetime, now: datetime) -> datetime:
    """The last check is at the end of the 15 minutes."""
    pause = _OFTEN if now - created_at < _OFTEN_UNTIL else _SELDOM
    return min(now + pause, max(created_at + UNSETTLED_GIVEN_UP, now + _OFTEN))


def next_unclear_check(created_at: datetime, now: datetime) -> datetime | None:
    """For ambiguous matches; None after the last one."""
    return next_accepted_check(created_at, max(now, created_at + UNSETTLED_GIVEN_UP))


def next_try(created_at: datetime, now: datetime, *, is_unsettled: bool) -> datetime | None:
    """After a failure to ask; None after the last one.

    For an unsettled submission, the pauses grow with its age after two hours.
    """
    age = now - created_at
    if age >= TRIED_UNTIL:
        return None
    if not is_unsettled:
        return now + _TRY_AGAIN
    return max(next_unsettled_check(created_at, now), now + min(age / 120, _TRY_AGAIN))


def ask_account_again(failures: int, now: datetime, *, is_silent: bool) -> datetime:
    return now + pause_after(failures, *(_SILENT_PAUSES if is_silent else _REFUSED_PAUSES))


def may_resend(
    created_at: datetime, resent_at: datetime | None, resends: int, asked_at: datetime
) -> bool:
    """Whether a submission without a trace may be sent again now."""
    if resends >= len(RESEND_PAUSES) or asked_at - created_at > _RESENDS_END:
        return False
    return asked_at - (resent_at or created_at) >= RESEND_PAUSES[resends]


def next_accepted_check(created_at: datetime, now: datetime) -> datetime | None:
    """Return None after the last one."""
    return next((created_at + age for age in ACCEPTED_CHECKS if created_at + age > now), None)
