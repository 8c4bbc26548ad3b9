"""The states of a submission. Pure.

A submission is written before the provider is called. It becomes visible as a message if the
provider accepted it or may have; never after a definite refusal.
"""

from datetime import datetime, timedelta
from enum import StrEnum

# No call lasts longer: retries of the connection end after 3 s, the answer may take 10 s.
CALL_LIMIT = timedelta(seconds=30)


class Submission(StrEnum):
    """The state of the provider call of a submission."""

    OPEN = "open"
    ACCEPTED = "accepted"
    UNCONFIRMED = "unconfirmed"
    REFUSED = "refused"
    NEVER_PROCESSED = "never_processed"
    NOT_CONFIRMED = "not_confirmed"


class SidSource(StrEnum):
    """Only a SID from a list is a guess."""

    ANSWER = "answer"
    CALLBACK = "callback"
    LIST = "list"


UNSETTLED = (Submission.OPEN, Submission.UNCONFIRMED)
ALWAYS_VISIBLE = (Submission.ACCEPTED, Submission.UNCONFIRMED, Submission.NOT_CONFIRMED)
MAY_HAVE_REACHED_PROVIDER = (*ALWAYS_VISIBLE, Submission.OPEN)


def open_is_visible_before(now: datetime) -> datetime:
    """An open submission created before this time counts as unconfirmed.

    Its process is gone, or its outcome could not be written.
    """
    return now - CALL_LIMIT
