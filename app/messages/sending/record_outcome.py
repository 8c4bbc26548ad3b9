"""Records the outcome of a provider call, and returns the client's answer.

The provider may have the message, so a failure here answers 504.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, delete, update
from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import Database
from app.db.rows import from_row
from app.db.statement import Statement, free_rows, rows_json, rows_of, with_rows
from app.destinations.policy.evaluate import RuleKind, Scope, Source
from app.destinations.refusals import Refusal, insert_refusal
from app.guards.counters import give_back
from app.kernel import errors as e
from app.kernel.batches import Batches
from app.kernel.clock import Clock, rfc3339
from app.messages.check_times import ACCEPTED_CHECKS
from app.messages.delivery.guessed_sids import take_back
from app.messages.lifecycle import SidSource, Submission
from app.messages.refusal_effects import Recipient, record_refusal_effects
from app.messages.sending.idempotency import IdempotentRequest
from app.messages.sending.open_submission import NewSubmission
from app.messages.tables import idempotency_keys, messages
from app.providers.port import (
    Accepted,
    NeverProcessed,
    Outcome,
    RefusalKind,
    Refused,
    Status,
    Unconfirmed,
)

_log = structlog.get_logger(__name__)
_ALL = "all acceptances"

_ACCEPT = f"""UPDATE messages AS m SET
    submission = '{Submission.ACCEPTED}',
    sent_number = NULL,
    -- A callback may have written first: its values stay.
    message_sid = coalesce(message_sid, :sid),
    sid_source = CASE WHEN coalesce(message_sid, :sid) = :sid
      THEN '{SidSource.ANSWER}' ELSE sid_source END,
    from_number = coalesce(from_number, :sender),
    updated_at = CASE WHEN status = '{Status.PENDING}' THEN :now ELSE updated_at END,
    check_at = CASE WHEN status = '{Status.PENDING}' THEN :next_check_at ELSE check_at END
  {{source}}WHERE m.id = :message_id
    -- The worker's conclusion is taken back first: see app.messages.delivery.guessed_sids.
    AND submission <> '{Submission.NOT_CONFIRMED}'
    AND (sid_source IS DISTINCT FROM '{SidSource.LIST}' OR message_sid = :sid)"""
_KEEP = """UPDATE idempotency_keys AS k SET answer = coalesce(k.answer, :first_answer)
  {source}WHERE k.workspace_id = :workspace_id AND k.key_hash = :key_hash
    AND k.message_id = :message_id"""
_ACCEPT_ONE = _ACCEPT.format(source="")
_KEEP_ONE = f"{_KEEP.format(source='')} RETURNING answer"

_ACCEPT_ALONE = Statement(_ACCEPT_ONE)
_KEEP_ANSWER = Statement(_KEEP_ONE)
_ACCEPT_AND_KEEP = Statement(f"""WITH accepted AS ({_ACCEPT_ONE} RETURNING m.id),
kept AS ({_KEEP_ONE})
SELECT kept.answer FROM accepted LEFT JOIN kept ON true""")

# For several messages on PostgreSQL. It leaves out those that another transaction changes.
_TYPES = {
    "message_id": "uuid",
    "sid": "text",
    "sender": "text",
    "now": "timestamptz",
    "next_check_at": "timestamptz",
    "workspace_id": "uuid",
    "key_hash": "text",
    "first_answer": "text",
}
_ACCEPT_EACH = _ACCEPT.format(source="FROM answers AS r JOIN free ON free.id = r.message_id ")
_KEEP_EACH = _KEEP.format(source="FROM answers AS r JOIN accepted ON accepted.id = r.message_id ")
_ACCEPT_TOGETHER = Statement(
    f"""WITH answers AS ({rows_of("answers", "r", _TYPES)}),
{free_rows("answers", "message_id", "messages")},
accepted AS ({with_rows(_ACCEPT_EACH, "r")} RETURNING m.id),
kept AS ({with_rows(_KEEP_EACH, "r")} RETURNING k.message_id, k.answer)
SELECT json_agg(json_build_array(accepted.id, kept.answer)) AS found
FROM accepted LEFT JOIN kept ON kept.message_id = accepted.id"""
)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """``answer`` is returned to the client, unless one was stored before."""

    submission: NewSubmission
    accepted: Accepted
    answer: str
    now: datetime

    def values(self) -> dict[str, Any]:
        values = _acceptance(self.submission.message_id, self.accepted, self.now)
        if self.submission.idempotent is not None:
            values["workspace_id"] = self.submission.workspace_id
            values["key_hash"] = self.submission.idempotent.key_hash
            values["first_answer"] = self.answer
        return values


def accept_submission(connection: Connection, one: Acceptance) -> str | None:
    """Store the acceptance; return the answer, or None if the row is gone."""
    values = one.values()
    if one.submission.idempotent is None:
        return one.answer if _ACCEPT_ALONE.run(connection, values) else None
    if connection.dialect.name == "postgresql":
        row = _ACCEPT_AND_KEEP.first(connection, values)
        return None if row is None else row.answer or one.answer
    kept = _KEEP_ANSWER.first(connection, values)
    if not _ACCEPT_ALONE.run(connection, values):
        return None
    return one.answer if kept is None else kept.answer or one.answer


def accept_submissions(connection: Connection, several: Sequence[Acceptance]) -> list[str | None]:
    """Store acceptances on PostgreSQL; None for a row that is gone, or locked."""
    rows = rows_json(one.values() for one in several)
    found = _ACCEPT_TOGETHER.first(connection, {"answers": rows}).found or ()
    kept = {UUID(message_id): answer for message_id, answer in found}
    ids = [(one, one.submission.message_id) for one in several]
    return [(kept[key] or one.answer) if key in kept else None for one, key in ids]


def accept_message(
    connection: Connection, message_id: UUID, accepted: Accepted, now: datetime
) -> bool:
    """Return False if the message is gone."""
    return _ACCEPT_ALONE.run(connection, _acceptance(message_id, accepted, now)) == 1


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
    return first_answer if kept is None else kept.answer or first_answer


def close_submission(
    connection: Connection,
    new: NewSubmission,
    submission: Submission,
    now: datetime,
    refused: Refused | None = None,
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
    if closed.rowcount and new.idempotent is not None:
        connection.execute(
            delete(idempotency_keys).where(
                idempotency_keys.c.workspace_id == new.workspace_id,
                idempotency_keys.c.key_hash == new.idempotent.key_hash,
                idempotency_keys.c.message_id == new.message_id,
            )
        )


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    database: Database
    clock: Clock
    batches: Batches[Acceptance, str | None] = field(default_factory=Batches)

    def __call__(self, new: NewSubmission, outcome: Outcome) -> str:
        """Return the text of the 201 answer, or raise the outcome's error."""
        try:
            written = self._write(new, outcome)
        except Exception as problem:
            _log.exception("outcome_not_written", message_id=str(new.message_id))
            raise e.SubmissionUnconfirmed(new.message_id) from problem
        if isinstance(written, e.PublicError):
            raise written
        return written

    def _write(self, new: NewSubmission, outcome: Outcome) -> str | e.PublicError:
        match outcome:
            case Accepted():
                return self._accept(new, outcome)
            case Refused():
                return self._refuse(new, outcome)
            case NeverProcessed():
                return self._record_not_processed(new, outcome)
            case Unconfirmed():
                return self._record_unconfirmed(new, outcome)

    def _accept(self, new: NewSubmission, accepted: Accepted) -> str | e.PublicError:
        now = self.clock.now()
        acceptance = Acceptance(new, accepted, json.dumps(_as_accepted(new, accepted, now)), now)
        if self.database.is_sqlite:
            kept = self._accept_alone(acceptance)
        else:
            kept = self.batches.do(_ALL, acceptance, self._accept_together, self._accept_alone)
        if kept is None:
            kept = self._accept_over_a_guess(acceptance)
        if kept is None:
            _log.error("submission_gone", message_id=str(new.message_id))
            return e.SubmissionUnconfirmed(new.message_id)
        return kept

    def _accept_together(self, several: Sequence[Acceptance]) -> list[str | None] | None:
        try:
            with self.database.writing_once() as connection:
                return accept_submissions(connection, several)
        except SQLAlchemyError:
            _log.exception("accepted_one_by_one")
            return None

    def _accept_alone(self, acceptance: Acceptance) -> str | None:
        with self.database.writing_once() as connection:
            return accept_submission(connection, acceptance)

    def _accept_over_a_guess(self, acceptance: Acceptance) -> str | None:
        """Accept a message that the worker settled otherwise during a long call."""
        new, accepted, now = acceptance.submission, acceptance.accepted, self.clock.now()
        with self.database.writing() as connection:
            taken_back = take_back(
                connection, new.message_id, new.account_sid, accepted.message_sid, now
            )
            if taken_back is None:
                return None
            return accept_submission(connection, replace(acceptance, now=now))

    def _refuse(self, new: NewSubmission, refused: Refused) -> e.PublicError:
        now = self.clock.now()
        recipient = from_row(Recipient, new)
        with self.database.writing() as connection:
            close_submission(connection, new, Submission.REFUSED, now, refused)
            insert_refusal(connection, _provider_refusal(new, refused), now)
            record_refusal_effects(
                connection, refused.kind, recipient, known_at=new.created_at, now=now
            )
        return _public_error(new, refused)

    def _record_not_processed(self, new: NewSubmission, never: NeverProcessed) -> e.PublicError:
        with self.database.writing() as connection:
            close_submission(connection, new, Submission.NEVER_PROCESSED, self.clock.now())
        wait = never.retry_after_seconds
        return e.ProviderUnavailable() if wait is None else e.ProviderUnavailable(wait)

    def _record_unconfirmed(self, new: NewSubmission, unconfirmed: Unconfirmed) -> e.PublicError:
        _log.warning("unconfirmed", message_id=str(new.message_id), why=unconfirmed.why)
        # Unless a callback has settled it.
        is_open = messages.c.id == new.message_id, messages.c.submission == Submission.OPEN
        with self.database.writing_once() as connection:
            values = {"submission": Submission.UNCONFIRMED, "updated_at": self.clock.now()}
            connection.execute(update(messages).where(*is_open).values(**values))
        return e.SubmissionUnconfirmed(new.message_id)


def _as_accepted(new: NewSubmission, accepted: Accepted, now: datetime) -> dict[str, object]:
    """Write the message as the provider accepted it: as `render_message` does later."""
    return {
        "id": str(new.message_id),
        "use_case_id": str(new.use_case_id),
        "message_sid": accepted.message_sid,
        "from_number": accepted.from_number,
        "to_number": new.to_number,
        "body": new.body,
        "num_segments": None,
        "status": Status.PENDING,
        "handed_off_at": None,
        "delivered_at": None,
        "errored_at": None,
        "error_code": None,
        "created_at": rfc3339(new.created_at),
        "updated_at": rfc3339(now),
    }


def _provider_refusal(new: NewSubmission, refused: Refused) -> Refusal:
    blocked = refused.kind is RefusalKind.DESTINATION_BLOCKED
    return Refusal(
        workspace_id=new.workspace_id,
        use_case_id=new.use_case_id,
        code=refused.kind.value,
        number=new.to_number,
        country=new.country,
        segments=new.counted_segments,
        source=Source.PROVIDER,
        rule=RuleKind.PROVIDER if blocked else None,
        scope=Scope.PROVIDER if blocked else None,
        revision=new.policy_revision,
        provider_code=refused.provider_code,
        access_key_id=new.access_key_id,
    )


def _public_error(new: NewSubmission, refused: Refused) -> e.PublicError:
    code = None if refused.provider_code is None else {"provider_code": refused.provider_code}
    match refused.kind:
        case RefusalKind.DESTINATION_BLOCKED:
            return e.DestinationBlocked(
                details={
                    "source": Source.PROVIDER,
                    "country": new.country,
                    "rule": RuleKind.PROVIDER,
                    "scope": Scope.PROVIDER,
                    "revision": new.policy_revision,
                    "provider_code": refused.provider_code,
                    "retryable": False,
                }
            )
        case RefusalKind.INVALID_DESTINATION:
            return e.InvalidDestination(details=code)
        case RefusalKind.RECIPIENT_OPTED_OUT:
            return e.RecipientOptedOut(details=code)
        case RefusalKind.NO_SENDER_NUMBER:
            return e.NoSenderNumber(details=code)
        case RefusalKind.PROVIDER_MISCONFIGURED:
            return e.ProviderMisconfigured(details=code)
        case RefusalKind.MESSAGE_REJECTED:
            return e.MessageRejected(details=code)
