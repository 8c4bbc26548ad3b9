"""SQL of submissions: written before the provider call, settled after it.

Opening and accepting are one statement on PostgreSQL and one immediate transaction on SQLite.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Text,
    Uuid,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from app.db.types import UtcDateTime
from app.kernel.phone import PhoneNumber
from app.messages.check_times import ACCEPTED_CHECKS, UNSETTLED_CHECKS_BEGIN
from app.messages.idempotency import LIFETIME, IdempotentRequest
from app.messages.lifecycle import Status
from app.messages.ports import Accepted
from app.messages.submission import SidSource, Submission
from app.messages.tables import idempotency_keys, messages


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """A send that passed every check and is about to be handed to the provider."""

    message_id: UUID
    workspace_id: UUID
    use_case_id: UUID
    account_sid: str
    to_number: PhoneNumber
    country: str
    body: str
    counted_segments: int
    policy_revision: int
    created_at: datetime
    messaging_service_sid: str | None = None
    # What it is estimated to cost; see app.prices.price_table.
    estimated_price: int | None = None
    estimate_currency: str | None = None
    access_key_id: UUID | None = None


_NEW = {
    name: bindparam(name, type_=messages.c["id" if name == "message_id" else name].type)
    for name in NewSubmission.__slots__
}
_VALUES: dict[Any, ColumnElement[Any]] = {
    **{messages.c["id" if name == "message_id" else name]: bind for name, bind in _NEW.items()},
    messages.c.submission: literal(Submission.OPEN.value),
    messages.c.status: literal(Status.PENDING.value),
    messages.c.updated_at: bindparam("created_at", type_=UtcDateTime()),
    messages.c.check_at: bindparam("first_check_at", type_=UtcDateTime()),
}


def _claim(dialect: Any) -> Any:
    """Take an idempotency key that is free, or was taken more than its lifetime ago."""
    wanted = dialect.insert(idempotency_keys).values(
        workspace_id=_NEW["workspace_id"],
        key_hash=bindparam("key_hash"),
        request_hash=bindparam("request_hash"),
        message_id=_NEW["message_id"],
        created_at=_NEW["created_at"],
    )
    renewed = {name: wanted.excluded[name] for name in ("request_hash", "message_id", "created_at")}
    return wanted.on_conflict_do_update(
        index_elements=[idempotency_keys.c.workspace_id, idempotency_keys.c.key_hash],
        set_={**renewed, "answer": None},
        where=idempotency_keys.c.created_at <= bindparam("keys_live_since", type_=UtcDateTime()),
    ).returning(idempotency_keys.c.message_id)


_INSERT = insert(messages).values(_VALUES)
_CLAIM_SQLITE = _claim(sqlite)
_CLAIM_POSTGRES = _claim(postgresql).cte("claim")
_CLAIM_AND_INSERT = (
    insert(messages)
    .from_select(list(_VALUES), select(*_VALUES.values()).select_from(_CLAIM_POSTGRES))
    .returning(messages.c.id)
)


def open_submission(
    connection: Connection, new: NewSubmission, idempotent: IdempotentRequest | None
) -> bool:
    """Insert a submission; False if another send took its idempotency key."""
    values: dict[str, Any] = {name: getattr(new, name) for name in NewSubmission.__slots__}
    values["first_check_at"] = new.created_at + UNSETTLED_CHECKS_BEGIN
    if idempotent is None:
        connection.execute(_INSERT, values)
        return True
    claim = {
        "key_hash": idempotent.key_hash,
        "request_hash": idempotent.request_hash,
        "keys_live_since": new.created_at - LIFETIME,
    }
    if connection.dialect.name == "postgresql":
        return connection.execute(_CLAIM_AND_INSERT, values | claim).one_or_none() is not None
    if connection.execute(_CLAIM_SQLITE, values | claim).one_or_none() is None:
        return False
    connection.execute(_INSERT, values)
    return True


_ACCEPT = (
    update(messages)
    .where(
        messages.c.id == bindparam("submission_id", type_=Uuid()),
        # What the worker concluded meanwhile is taken back first: see app.messages.guesses.
        messages.c.submission != Submission.NOT_CONFIRMED,
        or_(
            messages.c.sid_source.is_distinct_from(SidSource.LIST.value),
            messages.c.message_sid == bindparam("sid", type_=String()),
        ),
    )
    .values(
        submission=Submission.ACCEPTED,
        sid_source=case(
            (
                func.coalesce(messages.c.message_sid, bindparam("sid", type_=String()))
                == bindparam("sid", type_=String()),
                SidSource.ANSWER.value,
            ),
            else_=messages.c.sid_source,
        ),
        sent_number=None,
        # A callback may have been here first: what it wrote stays.
        message_sid=func.coalesce(messages.c.message_sid, bindparam("sid", type_=String())),
        from_number=func.coalesce(messages.c.from_number, bindparam("sender", type_=String())),
        updated_at=case(
            (messages.c.status == Status.PENDING, bindparam("now", type_=UtcDateTime())),
            else_=messages.c.updated_at,
        ),
        check_at=case(
            (messages.c.status == Status.PENDING, bindparam("next_check_at", type_=UtcDateTime())),
            else_=messages.c.check_at,
        ),
    )
    .returning(messages.c.id)
)
_KEEP_ANSWER = (
    update(idempotency_keys)
    .where(
        idempotency_keys.c.workspace_id == bindparam("workspace", type_=Uuid()),
        idempotency_keys.c.key_hash == bindparam("hash_of_key", type_=String()),
        idempotency_keys.c.message_id == bindparam("submission_id", type_=Uuid()),
    )
    .values(
        answer=func.coalesce(idempotency_keys.c.answer, bindparam("first_answer", type_=Text()))
    )
    .returning(idempotency_keys.c.answer)
)
_ACCEPTED, _KEPT = _ACCEPT.cte("accepted"), _KEEP_ANSWER.cte("kept")
_ACCEPT_AND_KEEP = select(_KEPT.c.answer).select_from(_ACCEPTED.outerjoin(_KEPT, true()))


def accept_submission(
    connection: Connection,
    submission: NewSubmission,
    accepted: Accepted,
    *,
    idempotent: IdempotentRequest | None,
    first_answer: str,
    now: datetime,
) -> str | None:
    """Store the acceptance; return the answer, or None if the row is gone.

    A callback may have settled the send, and a repeated request may have been answered before: then
    that answer is kept.
    """
    if idempotent is None:
        is_there = accept_message(connection, submission.message_id, accepted, now)
        return first_answer if is_there else None
    values = _acceptance(submission.message_id, accepted, now)
    kept = {
        "submission_id": submission.message_id,
        "workspace": submission.workspace_id,
        "hash_of_key": idempotent.key_hash,
        "first_answer": first_answer,
    }
    if connection.dialect.name == "postgresql":
        row = connection.execute(_ACCEPT_AND_KEEP, values | kept).one_or_none()
        return None if row is None else row.answer or first_answer
    answer = connection.execute(_KEEP_ANSWER, kept).scalar_one_or_none()
    found = connection.execute(_ACCEPT, values).one_or_none()
    return None if found is None else answer or first_answer


def accept_message(
    connection: Connection, message_id: UUID, accepted: Accepted, now: datetime
) -> bool:
    """Note that the provider has the message, by whichever creation; False if it is gone."""
    values = _acceptance(message_id, accepted, now)
    return connection.execute(_ACCEPT, values).one_or_none() is not None


def _acceptance(message_id: UUID, accepted: Accepted, now: datetime) -> dict[str, Any]:
    return {
        "submission_id": message_id,
        "sid": accepted.message_sid,
        "sender": accepted.from_number,
        "now": now,
        # What the provider has ended already is asked about at once: no callback reports it.
        "next_check_at": now if accepted.has_ended else now + ACCEPTED_CHECKS[0],
    }


def keep_answer(
    connection: Connection,
    workspace_id: UUID,
    idempotent: IdempotentRequest,
    message_id: UUID,
    first_answer: str,
) -> str:
    """Fix the answer of a send that was settled without one; return the one that is kept."""
    kept: str | None = connection.execute(
        _KEEP_ANSWER,
        {
            "workspace": workspace_id,
            "hash_of_key": idempotent.key_hash,
            "submission_id": message_id,
            "first_answer": first_answer,
        },
    ).scalar_one_or_none()
    return first_answer if kept is None else kept


def close_submission(
    connection: Connection,
    new: NewSubmission,
    submission: Submission,
    idempotent: IdempotentRequest | None,
    *,
    provider_code: int | None,
    now: datetime,
) -> None:
    """Close a submission that never becomes a message: erase its text, free its idempotency key.

    A submission that a callback has already made a message is not changed.
    """
    closed = connection.execute(
        update(messages)
        .where(messages.c.id == new.message_id, messages.c.submission == Submission.OPEN)
        .values(
            submission=submission,
            provider_code=provider_code,
            body=None,
            check_at=None,
            updated_at=now,
        )
    )
    if closed.rowcount and idempotent is not None:
        connection.execute(
            delete(idempotency_keys).where(
                idempotency_keys.c.workspace_id == new.workspace_id,
                idempotency_keys.c.key_hash == idempotent.key_hash,
                idempotency_keys.c.message_id == new.message_id,
            )
        )


def mark_unconfirmed(connection: Connection, message_id: UUID, now: datetime) -> None:
    """Mark a submission unconfirmed, unless a callback has settled it."""
    connection.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.submission == Submission.OPEN)
        .values(submission=Submission.UNCONFIRMED, updated_at=now)
    )
