"""SQL of submissions: written before the provider call, settled after it.

Opening and accepting are one statement on PostgreSQL and one immediate transaction on SQLite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, update

from app.db.engine import Database
from app.db.statement import Statement
from app.guards.counters import (
    IS_ADMITTED,
    JUDGED,
    JUDGEMENT,
    Counted,
    Counter,
    Judgement,
    count_on_sqlite,
    count_where,
    counters_json,
    give_back,
    read_judgement,
)
from app.kernel.phone import PhoneNumber
from app.messages.check_times import ACCEPTED_CHECKS, UNSETTLED_CHECKS_BEGIN
from app.messages.sending.idempotency import LIFETIME, IdempotentRequest
from app.messages.submission import SidSource, Submission
from app.messages.tables import idempotency_keys, messages
from app.providers.port import Accepted, Refused, Status


@dataclass(frozen=True, slots=True)
class NewSubmission:
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
    # The estimated price; see app.prices.price_table.
    estimated_price: int | None = None
    estimate_currency: str | None = None
    access_key_id: UUID | None = None
    # The counts of guards, subtracted again if the provider never sends it.
    counted: tuple[Counted, ...] = ()


_PARAMETERS = [name for name in NewSubmission.__slots__ if name != "counted"]
_SUBMISSION = f"""INSERT INTO messages (
  id, workspace_id, use_case_id, account_sid, messaging_service_sid, submission, status,
  to_number, country, body, counted_segments, policy_revision,
  estimated_price, estimate_currency, access_key_id,
  created_at, updated_at, check_at)
SELECT
  :message_id::uuid, :workspace_id::uuid, :use_case_id::uuid, :account_sid,
  :messaging_service_sid, '{Submission.OPEN}', '{Status.PENDING}',
  :to_number, :country, :body, :counted_segments::integer, :policy_revision::integer,
  :estimated_price::bigint, :estimate_currency, :access_key_id::uuid,
  :created_at::timestamptz, :created_at::timestamptz, :first_check_at::timestamptz"""

# Claims an idempotency key that is free or expired.
_CLAIM = """INSERT INTO idempotency_keys AS held (
    workspace_id, key_hash, request_hash, message_id, created_at)
  SELECT :workspace_id::uuid, :key_hash, :request_hash, :message_id::uuid,
    :created_at::timestamptz WHERE true
  ON CONFLICT (workspace_id, key_hash) DO UPDATE
  SET request_hash = excluded.request_hash, message_id = excluded.message_id,
    answer = NULL, created_at = excluded.created_at
  WHERE held.created_at <= :keys_live_since
  RETURNING message_id"""

_OPEN = Statement(_SUBMISSION)
_OPEN_WITH_KEY = Statement(f"WITH claim AS ({_CLAIM})\n{_SUBMISSION}\nFROM claim")
_CLAIM_FIRST = Statement(_CLAIM)
# With guards, for PostgreSQL: see app.guards.counters.
_OPENED = f"SELECT EXISTS (SELECT 1 FROM opened) AS is_open, {JUDGEMENT} AS judgement"
_OPEN_COUNTED = Statement(
    f"""WITH {JUDGED}, {count_where(IS_ADMITTED)},
opened AS ({_SUBMISSION} WHERE {IS_ADMITTED} RETURNING id) {_OPENED}"""
)
_OPEN_COUNTED_WITH_KEY = Statement(
    f"""WITH {JUDGED}, claim AS ({_CLAIM.replace("WHERE true", f"WHERE {IS_ADMITTED}")}),
{count_where("EXISTS (SELECT 1 FROM claim)")},
opened AS ({_SUBMISSION} FROM claim RETURNING id) {_OPENED}"""
)
_NOTHING_COUNTED = Judgement((), ())


class _Undone(Exception):
    """Rolls back the transaction of a send that a guard refuses."""

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement
        super().__init__()


def open_submission(
    database: Database,
    new: NewSubmission,
    idempotent: IdempotentRequest | None,
    counters: Sequence[Counter] = (),
) -> tuple[bool, Judgement]:
    """Insert and count a submission; False if its idempotency key is in use.

    If a guard refuses the send, nothing is written.
    """
    values: dict[str, Any] = {name: getattr(new, name) for name in _PARAMETERS}
    values["first_check_at"] = new.created_at + UNSETTLED_CHECKS_BEGIN
    if idempotent is not None:
        values |= {
            "key_hash": idempotent.key_hash,
            "request_hash": idempotent.request_hash,
            "keys_live_since": new.created_at - LIFETIME,
        }
    try:
        with database.writing_once() as connection:
            if connection.dialect.name == "postgresql":
                return _open_on_postgresql(connection, values, counters)
            return _open_on_sqlite(connection, values, counters)
    except _Undone as undone:
        return True, undone.judgement


def _open_on_postgresql(
    connection: Connection, values: dict[str, Any], counters: Sequence[Counter]
) -> tuple[bool, Judgement]:
    has_key = "key_hash" in values
    if not counters:
        statement = _OPEN_WITH_KEY if has_key else _OPEN
        return statement.run(connection, values) == 1, _NOTHING_COUNTED
    values["counters"] = counters_json(counters)
    row = (_OPEN_COUNTED_WITH_KEY if has_key else _OPEN_COUNTED).first(connection, values)
    return row.is_open, read_judgement(counters, row.judgement)


def _open_on_sqlite(
    connection: Connection, values: dict[str, Any], counters: Sequence[Counter]
) -> tuple[bool, Judgement]:
    """SQLite has no writing CTE, and one writer at a time."""
    if "key_hash" in values and _CLAIM_FIRST.first(connection, values) is None:
        return False, _NOTHING_COUNTED
    judgement = count_on_sqlite(connection, counters) if counters else _NOTHING_COUNTED
    if judgement.refusal is not None:
        raise _Undone(judgement)
    return _OPEN.run(connection, values) == 1, judgement


_ACCEPT = f"""UPDATE messages SET
    submission = '{Submission.ACCEPTED}',
    sent_number = NULL,
    -- A callback may have been here first: what it wrote stays.
    message_sid = coalesce(message_sid, :sid),
    sid_source = CASE WHEN coalesce(message_sid, :sid) = :sid
      THEN '{SidSource.ANSWER}' ELSE sid_source END,
    from_number = coalesce(from_number, :sender),
    updated_at = CASE WHEN status = '{Status.PENDING}' THEN :now ELSE updated_at END,
    check_at = CASE WHEN status = '{Status.PENDING}' THEN :next_check_at ELSE check_at END
  WHERE id = :message_id
    -- The worker's conclusion is taken back first: see app.messages.delivery.guessed_sids.
    AND submission <> '{Submission.NOT_CONFIRMED}'
    AND (sid_source IS DISTINCT FROM '{SidSource.LIST}' OR message_sid = :sid)
  RETURNING id"""
_KEEP = """UPDATE idempotency_keys SET answer = coalesce(answer, :first_answer)
  WHERE workspace_id = :workspace_id AND key_hash = :key_hash AND message_id = :message_id
  RETURNING answer"""

_ACCEPT_ALONE = Statement(_ACCEPT)
_KEEP_ANSWER = Statement(_KEEP)
_ACCEPT_AND_KEEP = Statement(f"""WITH accepted AS ({_ACCEPT}),
kept AS ({_KEEP})
SELECT kept.answer FROM accepted LEFT JOIN kept ON true""")


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

    If an answer was stored before, that one is kept.
    """
    if idempotent is None:
        is_there = accept_message(connection, submission.message_id, accepted, now)
        return first_answer if is_there else None
    values = _acceptance(submission.message_id, accepted, now) | {
        "workspace_id": submission.workspace_id,
        "key_hash": idempotent.key_hash,
        "first_answer": first_answer,
    }
    if connection.dialect.name == "postgresql":
        row = _ACCEPT_AND_KEEP.first(connection, values)
        return None if row is None else row.answer or first_answer
    kept = _KEEP_ANSWER.first(connection, values)
    if _ACCEPT_ALONE.first(connection, values) is None:
        return None
    return first_answer if kept is None else kept.answer


def accept_message(
    connection: Connection, message_id: UUID, accepted: Accepted, now: datetime
) -> bool:
    """Return False if the message is gone."""
    values = _acceptance(message_id, accepted, now)
    return _ACCEPT_ALONE.first(connection, values) is not None


def _acceptance(message_id: UUID, accepted: Accepted, now: datetime) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "sid": accepted.message_sid,
        "sender": accepted.from_number,
        "now": now,
        # A message that has ended already is checked immediately: no callback reports it.
        "next_check_at": now if accepted.has_ended else now + ACCEPTED_CHECKS[0],
    }


def keep_answer(
    connection: Connection,
    workspace_id: UUID,
    idempotent: IdempotentRequest,
    message_id: UUID,
    first_answer: str,
) -> str:
    """Store the answer of a send that was settled without one; return the stored one."""
    kept = _KEEP_ANSWER.first(
        connection,
        {
            "workspace_id": workspace_id,
            "key_hash": idempotent.key_hash,
            "message_id": message_id,
            "first_answer": first_answer,
        },
    )
    return first_answer if kept is None else kept.answer


def close_submission(
    connection: Connection,
    new: NewSubmission,
    submission: Submission,
    idempotent: IdempotentRequest | None,
    *,
    refused: Refused | None,
    now: datetime,
) -> None:
    """Remove text, key and counts of a submission that never becomes a message.

    One that a callback has made a message is not changed; a SID is kept.
    """
    closed = connection.execute(
        update(messages)
        .where(messages.c.id == new.message_id, messages.c.submission == Submission.OPEN)
        .values(
            submission=submission,
            provider_code=None if refused is None else refused.provider_code,
            message_sid=None if refused is None else refused.message_sid,
            body=None,
            check_at=None,
            updated_at=now,
        )
    )
    if closed.rowcount:
        give_back(connection, new.counted)
    if closed.rowcount and idempotent is not None:
        connection.execute(
            delete(idempotency_keys).where(
                idempotency_keys.c.workspace_id == new.workspace_id,
                idempotency_keys.c.key_hash == idempotent.key_hash,
                idempotency_keys.c.message_id == new.message_id,
            )
        )


def mark_unconfirmed(connection: Connection, message_id: UUID, now: datetime) -> None:
    """Unless a callback has settled it."""
    connection.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.submission == Submission.OPEN)
        .values(submission=Submission.UNCONFIRMED, updated_at=now)
    )
