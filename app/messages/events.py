"""SQL of message events without a delivery report."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, insert, literal, select

from app.kernel.ids import NO_ID, new_id
from app.messages.lifecycle import Reason
from app.messages.tables import message_events
from app.providers.port import Status

# How far the clock of an event may be behind the clock of its message, which is generous.
_CLOCKS_DIFFER = timedelta(days=31)
_TIME_BITS, _UUIDV7 = 80, 7


def earliest_event_id(message_id: UUID) -> UUID:
    """Return an id before all events of a message: PostgreSQL then reads no earlier month."""
    if message_id.version != _UUIDV7:
        return NO_ID
    earlier = _CLOCKS_DIFFER // timedelta(milliseconds=1) << _TIME_BITS
    return UUID(int=max(message_id.int - earlier, 0))


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
        message_events.c.id >= earliest_event_id(message_id),
        message_events.c.reason == Reason.UNCLEAR.value,
    )
    if connection.execute(select(literal(1)).where(*of_message)).first() is not None:
        return False
    add_event_of_message(
        connection, message_id, Status.PENDING, now, applied=False, reason=Reason.UNCLEAR
    )
    return True
