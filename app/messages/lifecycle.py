"""The lifecycle of a message: which reported status may follow which. Pure and total.

Source: the statuses of Twilio's Message resource. pending 0 < sent 1 < delivered, undelivered,
failed 2; a status only moves upward.
"""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Our statuses; the last three are terminal."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"

    @property
    def rank(self) -> int:
        """Return how far this status is in a message's life."""
        return _RANKS[self]

    @property
    def is_terminal(self) -> bool:
        """Say whether a message's life ends here."""
        return self.rank == _TERMINAL


_TERMINAL = 2
_RANKS = {
    Status.PENDING: 0,
    Status.SENT: 1,
    Status.DELIVERED: _TERMINAL,
    Status.UNDELIVERED: _TERMINAL,
    Status.FAILED: _TERMINAL,
}


class Reason(StrEnum):
    """The reason why a report changed nothing, or the origin of a status."""

    DUPLICATE = "duplicate"
    REGRESSION = "regression"
    CONFLICT = "conflict"
    NOT_CONFIRMED = "not_confirmed"
    UNCLEAR = "unclear"


_FROM_PROVIDER = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,
    "partially_delivered": Status.DELIVERED,
    "undelivered": Status.UNDELIVERED,
    "failed": Status.FAILED,
    "canceled": Status.FAILED,
}


def status_of(provider_status: str) -> Status:
    """Translate the provider's status; unknown ones, and those without effect, are `pending`."""
    return _FROM_PROVIDER.get(provider_status.lower(), Status.PENDING)


@dataclass(frozen=True, slots=True)
class Decision:
    """The effect of a report on a message with a given status.

    ``adds_effects``: times, segments and error code fill fields that are null.
    """

    applied: bool
    reason: Reason | None
    adds_effects: bool


def transition(current: Status, reported: Status) -> Decision:
    """Decide the effect of a reported status on the current one."""
    if reported.rank > current.rank:
        return Decision(applied=True, reason=None, adds_effects=True)
    if reported is Status.PENDING and current is Status.PENDING:
        return Decision(applied=False, reason=None, adds_effects=False)
    if reported is current:
        return Decision(applied=False, reason=Reason.DUPLICATE, adds_effects=True)
    if reported.is_terminal:
        return Decision(applied=False, reason=Reason.CONFLICT, adds_effects=False)
    # A late `sent` still tells when the carrier took the message.
    return Decision(applied=False, reason=Reason.REGRESSION, adds_effects=reported is Status.SENT)


@dataclass(frozen=True, slots=True)
class ReportEffects:
    """Which facts come with a reported status."""

    hand_off: bool
    delivery: bool
    error: bool


def effects_of(reported: Status) -> ReportEffects:
    """Say which facts come with a status: hand-off with segments, delivery, error with its code."""
    return ReportEffects(
        hand_off=reported in {Status.SENT, Status.DELIVERED, Status.UNDELIVERED},
        delivery=reported is Status.DELIVERED,
        error=reported in {Status.UNDELIVERED, Status.FAILED},
    )
