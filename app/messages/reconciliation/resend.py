"""Resends unconfirmed messages, for use cases with at-least-once delivery, or ends them.

A message is sent again only without a trace at the provider, after every check of a send. The
resend is counted before the call, so two workers never make the same one.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection, case, null, select, update

from app.db.engine import Database
from app.db.rows import from_row
from app.kernel.clock import Clock
from app.kernel.errors import PublicError, UseCaseNotFound
from app.kernel.phone import PhoneNumber, resolve
from app.messages.check_times import next_unsettled_check
from app.messages.delivery.apply_report import enqueue_event
from app.messages.delivery.guessed_sids import take_back
from app.messages.events import add_event_of_message
from app.messages.lifecycle import Reason, SidSource, Submission
from app.messages.reconciliation.claims import CLAIM_LEASE, DueMessage, claim_held, schedule
from app.messages.refusal_effects import Recipient, record_refusal_effects
from app.messages.sending.admission import check_admission, load_send_context
from app.messages.sending.record_outcome import accept_message
from app.messages.sending.send import Pace, submit
from app.messages.tables import IS_UNSETTLED, messages
from app.providers.port import (
    Accepted,
    NeverProcessed,
    Outbound,
    Outcome,
    Refused,
    SmsProvider,
    Status,
    Unconfirmed,
)
from app.use_cases.rules import OnUnconfirmed
from app.use_cases.tables import use_cases

_log = structlog.get_logger(__name__)


def count_resend(
    connection: Connection, due: DueMessage, messaging_service_sid: str, now: datetime
) -> DueMessage | None:
    """Count a resend and renew the lease; None if it may not be made.

    The claim must hold, the submission be unsettled with its text, and the use case still want
    it. With another Messaging Service than before, none is stored.
    """
    leased_until = now + CLAIM_LEASE
    asks_for_it = select(use_cases.c.id).where(
        use_cases.c.id == due.use_case_id, use_cases.c.on_unconfirmed == OnUnconfirmed.RESEND.value
    )
    counted = connection.execute(
        update(messages)
        .where(
            claim_held(due),
            IS_UNSETTLED,
            messages.c.body.isnot(None),
            messages.c.use_case_id.in_(asks_for_it),
        )
        .values(
            # From now on, the outcome of the first call can no longer withdraw the message.
            submission=Submission.UNCONFIRMED,
            resends=due.resends + 1,
            resent_at=now,
            messaging_service_sid=case(
                (messages.c.messaging_service_sid == messaging_service_sid, messaging_service_sid),
                else_=null(),
            ),
            check_at=leased_until,
        )
    )
    if counted.rowcount == 0:
        return None
    return replace(due, resends=due.resends + 1, resent_at=now, leased_until=leased_until)


def uncount_resend(
    connection: Connection, before: DueMessage, counted: DueMessage, check_at: datetime
) -> None:
    """For a resend that the provider never processed, while the claim holds."""
    connection.execute(
        update(messages)
        .where(claim_held(counted))
        .values(resends=before.resends, resent_at=before.resent_at, check_at=check_at)
    )


class AccountChanged(Exception):
    """The workspace's new provider account does not know the message."""


@dataclass(frozen=True, slots=True)
class Resend:
    database: Database
    provider: SmsProvider
    clock: Clock
    pace: Pace = field(default_factory=Pace)

    def __call__(self, due: DueMessage) -> bool:
        """Return False if a check prevents it.

        The caller has found no trace at the provider and holds the claim.
        """
        try:
            outbound = self._outbound(due)
        except (PublicError, AccountChanged) as refused:
            _log.warning("not_resent", message_id=str(due.message_id), why=type(refused).__name__)
            return False
        if outbound is None:
            return False
        with self.database.writing_once() as connection:
            counted = count_resend(
                connection, due, outbound.messaging_service_sid, self.clock.now()
            )
        if counted is None:
            return False
        outcome = submit(self.provider, outbound, self.pace)
        _log.warning(
            "resent",
            message_id=str(due.message_id),
            resends=counted.resends,
            outcome=type(outcome).__name__,
        )
        self._write(due, counted, outbound.to_number, outcome)
        return True

    def _outbound(self, due: DueMessage) -> Outbound | None:
        """Check the send again; None if the text is erased."""
        if due.body is None:
            return None
        destination = resolve(due.to_number)
        with self.database.reading() as connection:
            context = load_send_context(
                connection,
                caller=None,
                use_case_id=due.use_case_id,
                to=destination,
                idempotent=None,
                now=self.clock.now(),
            )
        use_case = context.use_case
        if use_case is None:
            raise UseCaseNotFound
        account, _ = check_admission(use_case, context, destination, self.clock.now())
        if account.sid != due.account.sid:
            raise AccountChanged
        return Outbound(
            message_id=due.message_id,
            account=account,
            messaging_service_sid=use_case.messaging_service_sid,
            to_number=PhoneNumber(due.to_number),
            body=due.body,
        )

    def _write(
        self, before: DueMessage, counted: DueMessage, to_number: PhoneNumber, outcome: Outcome
    ) -> None:
        now = self.clock.now()
        again_at = next_unsettled_check(counted.created_at, now)
        with self.database.writing() as connection:
            match outcome:
                case Accepted():
                    self._accept(connection, counted, outcome, now)
                case Refused():
                    expire_unconfirmed(connection, counted, now, outcome)
                    facts = {"account_sid": counted.account.sid, "to_number": to_number}
                    recipient = from_row(Recipient, counted, **facts)
                    known_at = counted.resent_at or counted.created_at
                    record_refusal_effects(
                        connection, outcome.kind, recipient, known_at=known_at, now=now
                    )
                case NeverProcessed():
                    uncount_resend(connection, before, counted, again_at)
                case Unconfirmed():
                    schedule(connection, counted, again_at)

    @staticmethod
    def _accept(connection: Connection, due: DueMessage, accepted: Accepted, now: datetime) -> None:
        """Also if another result was stored during the call."""
        if not accept_message(connection, due.message_id, accepted, now):
            sid = accepted.message_sid
            if take_back(connection, due.message_id, due.account.sid, sid, now) is not None:
                accept_message(connection, due.message_id, accepted, now)


def expire_unconfirmed(
    connection: Connection, due: DueMessage, now: datetime, refused: Refused | None = None
) -> bool:
    """End a submission without a trace, or one that was refused when it was sent again.

    It stays a message, because its owner has seen it. False if it was settled before.
    """
    code, sid = (None, None) if refused is None else (refused.provider_code, refused.message_sid)
    ended = connection.execute(
        update(messages)
        .where(claim_held(due), IS_UNSETTLED)
        .values(
            submission=Submission.NOT_CONFIRMED,
            provider_code=code,
            message_sid=sid,
            sid_source=None if sid is None else SidSource.ANSWER,
            status=Status.FAILED,
            error_code=code,
            sent_number=None,
            errored_at=now,
            updated_at=now,
            check_at=None,
        )
        .returning(messages)
    ).one_or_none()
    if ended is None:
        return False
    reason = Reason.NOT_CONFIRMED if refused is None else None
    add_event_of_message(
        connection, due.message_id, Status.FAILED, now, applied=True, reason=reason, error_code=code
    )
    enqueue_event(connection, ended, now)
    return True
