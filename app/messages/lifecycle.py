"""The lifecycle of a message: transitions between statuses. Pure and total.

pending 0 < sent 1 < delivered, undelivered, failed 2; a status only moves upward. Source: Twilio,
Message resource.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.providers.port import Status


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
