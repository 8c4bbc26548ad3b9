"""Applies a delivery report in one guarded write with its event.

The result does not depend on order, duplicates or the process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import Database
from app.db.rows import from_row
from app.kernel.batches import Batches
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable
from app.kernel.phone import PhoneNumber
from app.messages.delivery.apply_report import AppliedReport, Report, apply_report, move_messages
from app.messages.delivery.guessed_sids import take_back
from app.messages.lifecycle import effects_of
from app.messages.refusal_effects import KINDS_WITH_EFFECTS, Recipient, record_refusal_effects
from app.messages.tables import messages
from app.providers.port import DeliveryReport
from app.web.logs import add_to_line
from app.web.metrics import CALLBACKS

_log = structlog.get_logger(__name__)
# A worker can assign the SID at most once between `take_back` and the report.
_TRIES = 3
_ALL = "all reports"


@dataclass(frozen=True, slots=True)
class TrackDelivery:
    database: Database
    clock: Clock
    batches: Batches[Report, AppliedReport | None] = field(default_factory=Batches)

    def __call__(self, delivery: DeliveryReport) -> AppliedReport | None:
        """Return None if no message matches; raises `ServiceUnavailable`."""
        now = self.clock.now()
        report = Report(delivery, now)
        advanced = self._apply(report)
        if advanced is None and report.has_signed_id:
            advanced = self._over_a_guess(report)
        if advanced is not None and has_effects(delivery):
            with self.database.writing() as connection:
                record_effects_of(connection, delivery, advanced.message_id, now)
        return advanced

    def _apply(self, report: Report) -> AppliedReport | None:
        """On PostgreSQL, reports that arrive while others are applied are applied together."""
        if self.database.is_sqlite:
            return self._apply_alone(report)
        return self.batches.do(_ALL, report, self._move_together, self._apply_alone)

    def _move_together(self, reports: Sequence[Report]) -> list[AppliedReport | None] | None:
        try:
            with self.database.writing_once() as connection:
                return move_messages(connection, reports)
        except SQLAlchemyError:
            _log.exception("reports_applied_one_by_one")
            return None

    def _apply_alone(self, report: Report) -> AppliedReport | None:
        with self.database.writing_once() as connection:
            return apply_report(connection, report)

    def _over_a_guess(self, report: Report) -> AppliedReport | None:
        """Apply a signed report that contradicts a conclusion of the worker.

        Repeated, because other transactions may conclude something at the same moment.
        """
        delivery, now = report
        if delivery.message_id is None:
            return None
        found = delivery.message_id, delivery.account_sid, delivery.message_sid
        for _ in range(_TRIES):
            with self.database.writing() as connection:
                taken_back = take_back(connection, *found, now)
                if taken_back is None:
                    return None
                advanced = apply_report(connection, report)
            for message_id in taken_back:
                _log.warning("guess_taken_back", message_id=str(message_id))
            if advanced is not None:
                return advanced
        # The provider repeats a callback that was not accepted.
        raise ServiceUnavailable


@dataclass(frozen=True, slots=True)
class ReceiveReport:
    """Also counts and logs the result."""

    track: TrackDelivery

    def __call__(self, report: DeliveryReport | None) -> None:
        """Apply what a verified callback reports; None is about no message.

        Raises:
            ServiceUnavailable: nothing was stored, so the provider must try again.
        """
        try:
            advanced = None if report is None else self.track(report)
        except ServiceUnavailable:
            CALLBACKS.labels("unavailable").inc()
            raise
        except Exception as defect:
            # Not a 500: after a 503 the provider tries again, and the status is not lost.
            _log.exception("callback_failed")
            CALLBACKS.labels("failed").inc()
            raise ServiceUnavailable from defect
        if advanced is None:
            end = "unmatched"
        elif advanced.applied:
            end = "applied"
        else:
            end = advanced.reason or "noted"
        CALLBACKS.labels(end).inc()
        # For the line of the request: a line of its own costs a twentieth of a callback.
        add_to_line(
            callback=end,
            message_id=None if advanced is None else advanced.message_id,
            provider_status=None if report is None else report.provider_status,
            error_code=None if report is None else report.error_code,
        )


def has_effects(delivery: DeliveryReport) -> bool:
    """Whether a report has effects on later sends."""
    return delivery.meaning in KINDS_WITH_EFFECTS and effects_of(delivery.status).error


def record_effects_of(
    connection: Connection, delivery: DeliveryReport, message_id: UUID, now: datetime
) -> None:
    """A repeat changes nothing."""
    message = connection.execute(select(messages).where(messages.c.id == message_id)).one_or_none()
    to_number = None if message is None else PhoneNumber.parse(message.to_number)
    if message is None or to_number is None:  # it is erased
        return
    facts = {"account_sid": delivery.account_sid, "to_number": to_number}
    recipient = from_row(Recipient, message, **facts)
    record_refusal_effects(
        connection, delivery.meaning, recipient, known_at=message.created_at, now=now
    )
