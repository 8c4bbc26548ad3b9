"""SQL of taking back what the worker concluded, once stronger evidence contradicts it.

The worker concludes two things by asking: that a message in a list is this one, and that no trace
of it exists. An answer of the provider's to a create call, and a signed callback with the message's
id, are stronger. A message that loses its SID or its end is looked for again.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, exists, insert, or_, update

from app.kernel.ids import new_id
from app.messages.lifecycle import Reason, Status
from app.messages.submission import SidSource, Submission
from app.messages.tables import message_events, messages

_other = messages.alias("other")
_IS_GUESS = messages.c.sid_source == SidSource.LIST.value


def take_back(
    connection: Connection, message_id: UUID, account_sid: str, message_sid: str, now: datetime
) -> bool:
    """Make a message ready for the SID that stronger evidence gives it; False if none is due.

    It loses the SID of a guess that contradicts, or the end for which no trace was found. A SID
    that another message has for certain takes nothing back.
    """
    return _reset(
        connection,
        and_(
            messages.c.id == message_id,
            messages.c.account_sid == account_sid,
            or_(
                and_(_IS_GUESS, messages.c.message_sid != message_sid),
                messages.c.submission == Submission.NOT_CONFIRMED.value,
            ),
            ~_is_certain_elsewhere(message_sid),
        ),
        message_id,
        now,
    )


def release(connection: Connection, message_id: UUID, message_sid: str, now: datetime) -> bool:
    """Take a guessed SID from a message where another one has it for certain."""
    return _reset(
        connection,
        and_(
            messages.c.id == message_id,
            messages.c.message_sid == message_sid,
            _IS_GUESS,
            _is_certain_elsewhere(message_sid),
        ),
        message_id,
        now,
    )


def _is_certain_elsewhere(message_sid: str) -> ColumnElement[bool]:
    return exists().where(
        _other.c.message_sid == message_sid,
        _other.c.id != messages.c.id,
        _other.c.sid_source.is_distinct_from(SidSource.LIST.value),
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
    connection.execute(
        insert(message_events).values(
            id=new_id(),
            message_id=message_id,
            at=now,
            status=Status.PENDING,
            applied=True,
            reason=Reason.CONFLICT,
        )
    )
    return True
