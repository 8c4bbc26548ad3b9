"""SQL that ends an unsettled submission as `failed`, with one event."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, literal, select, update

from app.kernel.ids import new_id
from app.messages.advance import tell_customer
from app.messages.due import DueMessage, still_ours
from app.messages.lifecycle import Reason, Status
from app.messages.submission import UNSETTLED, Submission
from app.messages.tables import message_events, messages


def end_not_confirmed(connection: Connection, due: DueMessage, now: datetime) -> bool:
    """End a submission without a trace; False if it was settled before."""
    return _end(connection, due, now, reason=Reason.NOT_CONFIRMED, error_code=None)


def end_refused(
    connection: Connection, due: DueMessage, error_code: int | None, now: datetime
) -> bool:
    """End a submission without a trace that was refused when it was sent again.

    It stays a message, because its owner has seen it. False if it was settled before.
    """
    return _end(connection, due, now, reason=None, error_code=error_code)


def note_unclear(connection: Connection, message_id: UUID, now: datetime) -> bool:
    """Note once that the provider may have a message and nothing tells which; it stays pending."""
    of_message = (
        message_events.c.message_id == message_id,
        message_events.c.reason == Reason.UNCLEAR.value,
    )
    if connection.execute(select(literal(1)).where(*of_message)).first() is not None:
        return False
    connection.execute(
        insert(message_events).values(
            id=new_id(),
            message_id=message_id,
            at=now,
            status=Status.PENDING,
            applied=False,
            reason=Reason.UNCLEAR,
        )
    )
    return True


def _end(
    connection: Connection,
    due: DueMessage,
    now: datetime,
    *,
    reason: Reason | None,
    error_code: int | None,
) -> bool:
    ended = connection.execute(
        update(messages)
        .where(still_ours(due), messages.c.submission.in_([state.value for state in UNSETTLED]))
        .values(
            submission=Submission.NOT_CONFIRMED,
            provider_code=error_code,
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
    connection.execute(
        insert(message_events).values(
            id=new_id(),
            message_id=due.message_id,
            at=now,
            status=Status.FAILED,
            error_code=error_code,
            applied=True,
            reason=reason,
        )
    )
    tell_customer(connection, ended, now)
    return True
