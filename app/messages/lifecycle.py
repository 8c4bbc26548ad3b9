"""The states of a submission, and the transitions between statuses of a message. Pure and total.

A submission is written before the provider is called. It becomes visible as a message if the
provider accepted it or may have; never after a definite refusal.

pending 0 < sent 1 < delivered, undelivered, failed 2; a status only moves upward. Source: Twilio,
Message resource.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.providers.port import Status

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


class Reason(StrEnum):
    """Why a report changed nothing, or the origin of a status."""

    DUPLICATE = "duplicate"
    REGRESSION = "regression"
    CONFLICT = "conflict"
    NOT_CONFIRMED = "not_confirmed"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Decision:
    """``adds_effects``: times, segments and error code fill nulls."""

    applied: bool
    reason: Reason | None
    adds_effects: bool


def transition(current: Status, reported: Status) -> Decision:
    if reported.rank > current.rank:
        return Decision(applied=True, reason=None, adds_effects=True)
    if reported is Status.PENDING and current is Status.PENDING:
        return Decision(applied=False, reason=None, adds_effects=False)
    if reported is current:
        return Decision(applied=False, reason=Reason.DUPLICATE, adds_effects=True)
    if reported.is_terminal:
        return Decision(applied=False, reason=Reason.CONFLICT, adds_effects=False)
    # A late `sent` still has the time of the hand-off to the carrier.
    return Decision(applied=False, reason=Reason.REGRESSION, adds_effects=reported is Status.SENT)


@dataclass(frozen=True, slots=True)
class ReportEffects:
    hand_off: bool
    delivery: bool
    error: bool


def effects_of(reported: Status) -> ReportEffects:
    """Return the facts that come with a status: hand-off, delivery, error."""
    return ReportEffects(
        hand_off=reported in {Status.SENT, Status.DELIVERED, Status.UNDELIVERED},
        delivery=reported is Status.DELIVERED,
        error=reported in {Status.UNDELIVERED, Status.FAILED},
    )
