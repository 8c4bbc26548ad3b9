"""Following a message: what one delivery report does to it, in one guarded write with its event.

The rule is `app.messages.lifecycle`; the statement carries its decision for each status that the
message may have, and the database picks the one that holds at the instant of the write. Any order,
any number of duplicates and any process end the same.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.phone import PhoneNumber
from app.messages.advance import Advanced, Report, advance_message
from app.messages.learn import TEACHES, Recipient, learn
from app.messages.lifecycle import facts_of, status_of
from app.messages.ports import RefusalKind

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a provider reports of one message, as verified; words are the provider's own.

    ``meaning`` is what the adapter knows of the error code.
    """

    account_sid: str
    message_sid: str
    message_id: UUID | None
    provider_status: str
    error_code: int | None = None
    from_number: str | None = None
    num_segments: int | None = None
    meaning: RefusalKind | None = None


@dataclass(frozen=True, slots=True)
class TrackDelivery:
    """The operation behind the status callback."""

    database: Database
    clock: Clock

    def __call__(self, delivery: DeliveryReport) -> Advanced | None:
        """Apply a report; None where no message of that account fits it.

        Raises:
            ServiceUnavailable: the database cannot commit; nothing was changed.
        """
        now = self.clock.now()
        report = Report(
            account_sid=delivery.account_sid,
            message_sid=delivery.message_sid,
            message_id=delivery.message_id,
            status=status_of(delivery.provider_status),
            provider_status=delivery.provider_status,
            error_code=delivery.error_code,
            from_number=delivery.from_number,
            num_segments=delivery.num_segments,
            at=now,
        )
        with self.database.writing_once() as connection:
            advanced = advance_message(connection, report)
        if advanced is not None and facts_of(report.status).error:
            self._learn(delivery, advanced, now)
        return advanced

    def _learn(self, delivery: DeliveryReport, advanced: Advanced, now: datetime) -> None:
        """Keep what an error tells beyond its message; told again, it changes nothing."""
        to_number = PhoneNumber.parse(advanced.to_number)
        # A number that is erased teaches nothing.
        if delivery.meaning not in TEACHES or to_number is None:
            return
        recipient = Recipient(
            workspace_id=advanced.workspace_id,
            use_case_id=advanced.use_case_id,
            account_sid=delivery.account_sid,
            to_number=to_number,
            country=advanced.country,
        )
        with self.database.writing_once() as connection:
            learn(connection, delivery.meaning, recipient, now)
