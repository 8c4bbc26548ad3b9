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


def expire_unconfirmed(
    connection: Connection, due: DueMessage, now: datetime, refused: Refused | None = None
) -> bool:
    """End a submission without a trace, or one that was refused when it was sent again.

    It stays a message, because its owner has seen it. False if it was settled before.
    """
    code, sid = (None, None) if refused is None else (refused.provider_code, refused.message_sid)
    ended = connection.execute(
        update(messages)
        .where(claim_held(due), messages.c.submission.in_([state.value for state in UNSETTLED]))
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
