"""SQL of message events without a delivery report."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, literal, select

from app.kernel.ids import new_id
from app.messages.lifecycle import Reason
from app.messages.tables import message_events
from app.providers.port import Status


def add_event_of_message(
    connection: Connection,
    message_id: UUID,
    status: Status,
    now: datetime,
    *,
    applied: bool,
    reason: Reason | None,
    error_code: int | None = None,
) -> None:
    connection.execute(
        insert(message_events).values(
            id=new_id(),
            message_id=message_id,
            at=now,
            status=status,
            error_code=error_code,
            applied=applied,
            reason=reason,
        )
    )


def record_unclear(connection: Connection, message_id: UUID, now: datetime) -> bool:
    """Record once that matches are ambiguous; the message stays pending."""
    of_message = (
        message_events.c.message_id == message_id,
        message_events.c.reason == Reason.UNCLEAR.value,
    )
    if connection.execute(select(literal(1)).where(*of_message)).first() is not None:
        return False
    add_event_of_message(
        connection, message_id, Status.PENDING, now, applied=False, reason=Reason.UNCLEAR
    )
    return True
