"""SQL that ends an unsettled submission as `failed`, with one event."""

from datetime import datetime

from sqlalchemy import Connection, update

from app.messages.delivery.apply_report import enqueue_event
from app.messages.events import add_event_of_message
from app.messages.lifecycle import Reason
from app.messages.reconciliation.claims import DueMessage, claim_held
from app.messages.submission import UNSETTLED, SidSource, Submission
from app.messages.tables import messages
from app.providers.port import Refused, Status


def expire_unconfirmed(connection: Connection, due: DueMessage, now: datetime) -> bool:
    """Return False if it was settled before."""
    return _end(connection, due, now, reason=Reason.NOT_CONFIRMED)


def end_refused(connection: Connection, due: DueMessage, refused: Refused, now: datetime) -> bool:
    """End a submission that was refused when it was sent again.

    It stays a message, because its owner has seen it. False if it was settled before.
    """
    return _end(connection, due, now, reason=None, refused=refused)


def _end(
    connection: Connection,
    due: DueMessage,
    now: datetime,
    *,
    reason: Reason | None,
    refused: Refused | None = None,
) -> bool:
    error_code = None if refused is None else refused.provider_code
    message_sid = None if refused is None else refused.message_sid
    ended = connection.execute(
        update(messages)
        .where(claim_held(due), messages.c.submission.in_([state.value for state in UNSETTLED]))
        .values(
            submission=Submission.NOT_CONFIRMED,
            provider_code=error_code,
            message_sid=message_sid,
            sid_source=None if message_sid is None else SidSource.ANSWER,
            status=Status.FAILED,
            error_code=error_code,
            sent_number=None,
            errored_at=now,
            updated_at=now,
            check_at=None,
        )
        .returning(messages)
    ).one_or_none()
    if ended is None:
        return False
    add_event_of_message(
        connection,
        due.message_id,
        Status.FAILED,
        now,
        applied=True,
        reason=reason,
        error_code=error_code,
    )
    enqueue_event(connection, ended, now)
    return True
