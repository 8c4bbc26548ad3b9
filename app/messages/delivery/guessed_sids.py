"""SQL of undoing the worker's conclusions when stronger evidence contradicts them.

The worker concludes from lists that a message is this one, or that there is no trace. The answer to
a create call, and a signed callback with the message's id, are stronger. A message that loses its
SID or its end is looked for again.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from app.messages.events import add_event_of_message
from app.messages.lifecycle import MAY_HAVE_REACHED_PROVIDER, Reason, SidSource, Submission
from app.messages.tables import messages
from app.providers.port import Status

_other = messages.alias("other")
_IS_GUESS = messages.c.sid_source == SidSource.LIST.value


def take_back(
    connection: Connection, message_id: UUID, account_sid: str, message_sid: str, now: datetime
) -> list[UUID] | None:
    """Prepare a message for a SID with stronger evidence; None if it cannot have it.

    The message loses a contradicting guess, or the end without a trace; others lose the SID if
    it is a guess, and their ids are returned. The rows stay locked.
    """
    columns = messages.c
    locked = connection.execute(
        select(columns.id, columns.submission, columns.message_sid, columns.sid_source)
        .where(
            columns.account_sid == account_sid,
            or_(columns.id == message_id, columns.message_sid == message_sid),
        )
        # A fixed order, so that two callbacks that exchange SIDs cannot deadlock.
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
    # A finished message may have the SID of a refused resend, which is not its first.
    if has_another and not has_ended and own.sid_source != SidSource.LIST:
        return None
    reset = [row.id for row in others]
    if has_ended or has_another:
        reset.append(own.id)
    for each in reset:
        _reset(connection, messages.c.id == each, each, now)
    return reset


def release(connection: Connection, message_id: UUID, message_sid: str, now: datetime) -> bool:
    """Remove a guessed SID if another message has it for certain."""
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
