"""The life of a message: which reported status may follow which. Pure and total.

Source: seed 004 and SPEC section 6; the provider's words from Twilio's Message resource.
pending 0 < sent 1 < delivered, undelivered, failed 2; a status is applied only upward.
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
    """Why a report did not move the message, or who reported it."""

    DUPLICATE = "duplicate"
    REGRESSION = "regression"
    CONFLICT = "conflict"
    NOT_CONFIRMED = "not_confirmed"


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
    """Translate the provider's word; words that move nothing, unknown ones too, are `pending`."""
    return _FROM_PROVIDER.get(provider_status.lower(), Status.PENDING)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a report does to a message that has a given status."""

    applied: bool
    reason: Reason | None


def follow(current: Status, reported: Status) -> Decision:
    """Decide what a reported status does to a message in the current one."""
    if reported.rank > current.rank:
        return Decision(applied=True, reason=None)
    if reported is Status.PENDING and current is Status.PENDING:
        return Decision(applied=False, reason=None)
    if reported is current:
        return Decision(applied=False, reason=Reason.DUPLICATE)
    if reported.is_terminal:
        return Decision(applied=False, reason=Reason.CONFLICT)
    return Decision(applied=False, reason=Reason.REGRESSION)


@dataclass(frozen=True, slots=True)
class Marks:
    """Which facts a report may add to a message, each only where it is still null."""

    handed_off: bool
    delivered: bool
    errored: bool
    keeps_error_code: bool


def marks_of(reported: Status) -> Marks:
    """Say which facts come with a status; those of a terminal count only when it is applied."""
    return Marks(
        handed_off=reported in {Status.SENT, Status.DELIVERED, Status.UNDELIVERED},
        delivered=reported is Status.DELIVERED,
        errored=reported in {Status.UNDELIVERED, Status.FAILED},
        keeps_error_code=reported in {Status.UNDELIVERED, Status.FAILED},
    )
