"""SQL of taking back what the worker concluded, once stronger evidence contradicts it.

The worker concludes two things by asking: that a message in a list is this one, and that no trace
of it exists. An answer of the provider's to a create call, and a signed callback with the message's
id, are stronger. A message that loses its SID or its end is looked for again.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from app.messages.events import add_event_of_message
from app.messages.lifecycle import Reason
from app.messages.submission import MAY_HAVE_REACHED_PROVIDER, SidSource, Submission
from app.messages.tables import messages
from app.providers.port import Status

_other = messages.alias("other")
_IS_GUESS = messages.c.sid_source == SidSource.LIST.value


def take_back(
    connection: Connection, message_id: UUID, account_sid: str, message_sid: str, now: datetime
) -> list[UUID] | None:
    """Make a message ready for the SID that stronger evidence gives it; None if it cannot have it.

    The message loses a guessed SID that contradicts, or the end for which no trace was found; every
    other message loses the SID if it has it by a guess. Their ids are returned. The rows stay
    locked, so that nothing of this changes before the evidence is written.
    """
    columns = messages.c
    locked = connection.execute(
        select(columns.id, columns.submission, columns.message_sid, columns.sid_source)
        .where(
            columns.account_sid == account_sid,
            or_(columns.id == message_id, columns.message_sid == message_sid),
        )
        # One order for all: two callbacks that exchange two SIDs never wait for each other.
        .order_by(columns.id)
        .with_for_update()
    ).all()
    own = next((row for row in locked if row.id == message_id), None)
    others = [row for row in locked if row.id != message_id]
    if own is None or own.submission not in MAY_HAVE_REACHED_PROVIDER:
        return None
    if any(row.sid_source != SidSource.LIST for row in others):
        return None
    has_ended = own.submission == Submission.NOT_CONFIRMED
    has_another = own.message_sid not in {None, message_sid}
    # A message that ended may have the SID of a resend that was refused, which is not its first.
    if has_another and not has_ended and own.sid_source != SidSource.LIST:
        return None
    reset = [row.id for row in others]
    if has_ended or has_another:
        reset.append(own.id)
    for each in reset:
        _reset(connection, messages.c.id == each, each, now)
    return reset


def release(connection: Connection, message_id: UUID, message_sid: str, now: datetime) -> bool:
    """Take a guessed SID from a message where another one has it for certain."""
    is_certain_elsewhere = exists().where(
        _other.c.message_sid == message_sid,
        _other.c.account_sid == messages.c.account_sid,
        _other.c.id != messages.c.id,
        _other.c.sid_source.is_distinct_from(SidSource.LIST.value),
    )
    return _reset(
        connection,
        and_(
            messages.c.id == message_id,
            messages.c.message_sid == message_sid,
            _IS_GUESS,
            is_certain_elsewhere,
        ),
        message_id,
        now,
    )


def _reset(
    connection: Connection, condition: ColumnElement[bool], message_id: UUID, now: datetime
) -> bool:
    """Undo what came with a conclusion: the message is pending and unsettled as before it."""
    reset = connection.execute(
        update(messages)
        .where(condition)
        .values(
            submission=Submission.UNCONFIRMED,
            message_sid=None,
            sid_source=None,
            provider_code=None,
            from_number=None,
            status=Status.PENDING,
            num_segments=None,
            handed_off_at=None,
            delivered_at=None,
            errored_at=None,
            error_code=None,
            price=None,
            price_unit=None,
            check_at=now,
            updated_at=now,
        )
    )
    if reset.rowcount == 0:
        return False
    add_event_of_message(
        connection, message_id, Status.PENDING, now, applied=True, reason=Reason.CONFLICT
    )
    return True
