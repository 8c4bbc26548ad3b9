"""Records the outcome of a provider call, and returns the client's answer.

The provider may have the message, so a failure here answers 504.
"""

import json
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.db.engine import Database
from app.destinations.policy.evaluate import RuleKind, Scope, Source, Verdict
from app.destinations.refusals import Refusal, insert_refusal
from app.kernel import errors as e
from app.kernel.clock import Clock, rfc3339
from app.messages.delivery.guessed_sids import take_back
from app.messages.refusal_effects import Recipient, record_refusal_effects
from app.messages.sending.idempotency import IdempotentRequest
from app.messages.sending.outcomes import (
    NewSubmission,
    accept_submission,
    close_submission,
    mark_unconfirmed,
)
from app.messages.submission import Submission
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


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    database: Database
    clock: Clock

    def __call__(
        self,
        new: NewSubmission,
        verdict: Verdict,
        outcome: Outcome,
        idempotent: IdempotentRequest | None,
    ) -> str:
        """Return the text of the 201 answer, or raise the outcome's error."""
        try:
            written = self._write(new, verdict, outcome, idempotent)
        except Exception as problem:
            _log.exception("outcome_not_written", message_id=str(new.message_id))
            raise e.SubmissionUnconfirmed(new.message_id) from problem
        if isinstance(written, e.PublicError):
            raise written
        return written

    def _write(
        self,
        new: NewSubmission,
        verdict: Verdict,
        outcome: Outcome,
        idempotent: IdempotentRequest | None,
    ) -> str | e.PublicError:
        match outcome:
            case Accepted():
                return self._accept(new, outcome, idempotent)
            case Refused():
                return self._refuse(new, verdict, outcome, idempotent)
            case NeverProcessed():
                return self._record_not_processed(new, outcome, idempotent)
            case Unconfirmed():
                return self._record_unconfirmed(new, outcome)

    def _accept(
        self, new: NewSubmission, accepted: Accepted, idempotent: IdempotentRequest | None
    ) -> str | e.PublicError:
        now = self.clock.now()
        answer = json.dumps(_as_accepted(new, accepted, now))
        with self.database.writing_once() as connection:
            kept = accept_submission(
                connection,
                new,
                accepted,
                idempotent=idempotent,
                first_answer=answer,
                now=now,
            )
        if kept is None:
            kept = self._accept_over_a_guess(new, accepted, idempotent, answer)
        if kept is None:
            _log.error("submission_gone", message_id=str(new.message_id))
            return e.SubmissionUnconfirmed(new.message_id)
        return kept

    def _accept_over_a_guess(
        self,
        new: NewSubmission,
        accepted: Accepted,
        idempotent: IdempotentRequest | None,
        answer: str,
    ) -> str | None:
        """Accept a message that the worker settled otherwise during a long call."""
        now = self.clock.now()
        with self.database.writing() as connection:
            taken_back = take_back(
                connection, new.message_id, new.account_sid, accepted.message_sid, now
            )
            if taken_back is None:
                return None
            return accept_submission(
                connection, new, accepted, idempotent=idempotent, first_answer=answer, now=now
            )

    def _refuse(
        self,
        new: NewSubmission,
        verdict: Verdict,
        refused: Refused,
        idempotent: IdempotentRequest | None,
    ) -> e.PublicError:
        now = self.clock.now()
        with self.database.writing() as connection:
            close_submission(
                connection,
                new,
                Submission.REFUSED,
                idempotent,
                refused=refused,
                now=now,
            )
            insert_refusal(connection, _provider_refusal(new, verdict, refused), now)
            recipient = Recipient(
                workspace_id=new.workspace_id,
                use_case_id=new.use_case_id,
                account_sid=new.account_sid,
                to_number=new.to_number,
                country=new.country,
            )
            record_refusal_effects(
                connection, refused.kind, recipient, known_at=new.created_at, now=now
            )
        return _public_error(verdict, refused)

    def _record_not_processed(
        self, new: NewSubmission, never: NeverProcessed, idempotent: IdempotentRequest | None
    ) -> e.PublicError:
        with self.database.writing() as connection:
            close_submission(
                connection,
                new,
                Submission.NEVER_PROCESSED,
                idempotent,
                refused=None,
                now=self.clock.now(),
            )
        wait = never.retry_after_seconds
        return e.ProviderUnavailable() if wait is None else e.ProviderUnavailable(wait)

    def _record_unconfirmed(self, new: NewSubmission, unconfirmed: Unconfirmed) -> e.PublicError:
        _log.warning("unconfirmed", message_id=str(new.message_id), why=unconfirmed.why)
        with self.database.writing_once() as connection:
            mark_unconfirmed(connection, new.message_id, self.clock.now())
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


def _provider_refusal(new: NewSubmission, verdict: Verdict, refused: Refused) -> Refusal:
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
        revision=verdict.revision,
        provider_code=refused.provider_code,
        access_key_id=new.access_key_id,
    )


def _public_error(verdict: Verdict, refused: Refused) -> e.PublicError:
    code = None if refused.provider_code is None else {"provider_code": refused.provider_code}
    match refused.kind:
        case RefusalKind.DESTINATION_BLOCKED:
            return e.DestinationBlocked(
                details={
                    "source": Source.PROVIDER,
                    "country": verdict.country,
                    "rule": RuleKind.PROVIDER,
                    "scope": Scope.PROVIDER,
                    "revision": verdict.revision,
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
