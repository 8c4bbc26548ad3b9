"""Sending one message: the submission protocol.

One statement reads, one writes the submission, the provider is called with no connection held, one
writes the outcome. After a crash, a callback or the worker settles it; this module never sends
twice.
"""

import collections
import json
import math
import random
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog

from app.access.principal import ActorKind, Principal, StoredKey, check_country, check_use_case
from app.db.engine import Database
from app.destinations.policy.evaluate import RuleKind, Scope, Source, Verdict
from app.destinations.refusals import Refusal, insert_refusal
from app.kernel import errors as e
from app.kernel.batches import Batches
from app.kernel.clock import Clock
from app.kernel.ids import new_id
from app.kernel.phone import Destination, PhoneNumber, resolve
from app.kernel.texts import count_segments
from app.messages.queries.read import load_record, render_message
from app.messages.sending.admission import (
    SendContext,
    UseCase,
    admit_caller,
    check_admission,
    load_send_context,
    reachable_use_case,
)
from app.messages.sending.idempotency import IdempotentRequest, Prior, first_answer
from app.messages.sending.open_submission import NewSubmission, OpenGuarded
from app.messages.sending.record_outcome import Acceptance, RecordOutcome, keep_answer
from app.prices.price_table import DayPrices, Estimate, day_of
from app.prices.store import PriceBook
from app.providers.port import (
    NeverProcessed,
    Outbound,
    Outcome,
    ProviderAccount,
    SmsProvider,
    Unconfirmed,
)
from app.web.metrics import PROVIDER_SECONDS, SENDS

_log = structlog.get_logger(__name__)
# Only calls that were never processed are repeated.
TRY_FOR_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Pace:
    """The clock of retries; tests replace it."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default=random.random)


class NoFreePlace(Exception):
    """A send must wait until ``is_over()``; nothing was written or sent."""

    def __init__(self, places: int, is_over: Callable[[], bool]) -> None:
        self.is_over = is_over
        self.as_limit = e.RateLimited(e.Quota("sends", places))
        super().__init__()


class InFlight:
    """The concurrent provider calls of one process; a limit keeps threads for callbacks.

    A workspace may use all places but the last eighth, at least two.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._share = max(1, places - max(2, math.ceil(places / 8)))
        self._lock = threading.Lock()
        self._taken: collections.Counter[Hashable] = collections.Counter()

    @contextmanager
    def place(self, workspace_id: Hashable) -> Iterator[None]:
        """Raises `NoFreePlace`."""
        with self._lock:
            if not self._is_free(workspace_id):
                raise NoFreePlace(self._share, lambda: self.has_place(workspace_id))
            self._taken[workspace_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[workspace_id] -= 1
                if not self._taken[workspace_id]:
                    del self._taken[workspace_id]

    def has_place(self, workspace_id: Hashable) -> bool:
        with self._lock:
            return self._is_free(workspace_id)

    def _is_free(self, workspace_id: Hashable) -> bool:
        return self._taken.total() < self._places and self._taken[workspace_id] < self._share


def submit(provider: SmsProvider, outbound: Outbound, pace: Pace) -> Outcome:
    started = pace.monotonic()
    pause = _FIRST_PAUSE_SECONDS
    while True:
        outcome = _try_once(provider, outbound)
        if not isinstance(outcome, NeverProcessed):
            return outcome
        wanted = outcome.retry_after_seconds
        wait = pause * (1 + pace.jitter() / 2) if wanted is None else max(wanted, pause)
        if pace.monotonic() - started + wait >= TRY_FOR_SECONDS:
            return outcome
        pace.sleep(wait)
        pause *= 2


def _try_once(provider: SmsProvider, outbound: Outbound) -> Outcome:
    outcome: Outcome
    started = time.perf_counter()
    try:
        outcome = provider.create(outbound)
    except Exception:  # noqa: BLE001
        # After a defect it is unknown whether the provider has the message.
        _log.exception("provider_call_failed", message_id=str(outbound.message_id))
        outcome = Unconfirmed("a defect of ours during the call")
    seconds = time.perf_counter() - started
    PROVIDER_SECONDS.labels(type(outcome).__name__).observe(seconds)
    return outcome


@dataclass(frozen=True, slots=True)
class SendRequest:
    use_case_id: UUID
    to_phone_number: str
    message: str


@dataclass(frozen=True, slots=True)
class SendCall:
    """The caller is the hash of a key to admit, or a signed-in principal.

    With ``may_wait``, the caller runs it again if no place is free.
    """

    caller: str | Principal
    request: SendRequest
    idempotent: IdempotentRequest | None = None
    may_wait: bool = False
    # Called with the admitted access key; it may refuse the request.
    on_admitted: Callable[[StoredKey, datetime], None] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """``replayed``: an earlier request got this answer."""

    answer: str
    replayed: bool


@dataclass(frozen=True, slots=True)
class SendMessage:
    database: Database
    provider: SmsProvider
    clock: Clock
    in_flight: InFlight
    open_guarded: OpenGuarded
    pace: Pace = field(default_factory=Pace)
    prices: PriceBook = field(default_factory=PriceBook)
    acceptances: Batches[Acceptance, str | None] = field(default_factory=Batches)

    def __call__(self, call: SendCall) -> Sent:
        """Send, or return the answer of the same earlier request.

        Raises the first failure; `NoFreePlace` only with ``call.may_wait``.
        """
        try:
            sent = self._send(call)
        except NoFreePlace as full:
            if call.may_wait:
                raise
            SENDS.labels(e.RateLimited.__name__).inc()
            raise full.as_limit from full
        except e.PublicError as refused:
            SENDS.labels(refused.code).inc()
            raise
        SENDS.labels("replayed" if sent.replayed else "accepted").inc()
        return sent

    def _send(self, call: SendCall) -> Sent:
        context, prices, now = self._read(call)
        principal = admit_caller(call.caller, context, now)
        destination = resolve(call.request.to_phone_number)
        billing = _billing(call.request, destination, principal, prices)
        if context.key is not None and call.on_admitted is not None:
            try:
                call.on_admitted(context.key, now)
            except e.Forbidden as refused:
                found = context.use_case
                if found and principal.can_access(found.organization_id, found.workspace_id):
                    self._record_refusal(_refusal(refused, found, destination, billing), now)
                raise
        if call.idempotent is not None and context.prior is not None:
            return self._replay(context.prior, call.idempotent, now)
        use_case = reachable_use_case(context, principal)
        try:
            check_use_case(principal.limits, use_case.use_case_id)
            account, verdict = check_admission(use_case, context, destination, now)
            check_country(principal.limits, verdict.country)
        except e.PublicError as refused:
            self._record_refusal(_refusal(refused, use_case, destination, billing), now)
            raise
        with self.in_flight.place(use_case.workspace_id):
            wanted = _new_submission(
                use_case, account, verdict, call=call, billing=billing, now=self.clock.now()
            )
            new = self.open_guarded(use_case, wanted)
            if new is None:
                return self._after_another(call)
            outbound = Outbound(
                message_id=new.message_id,
                account=account,
                messaging_service_sid=use_case.messaging_service_sid,
                to_number=new.to_number,
                body=new.body,
            )
            outcome = submit(self.provider, outbound, self.pace)
        record = RecordOutcome(self.database, self.clock, self.acceptances)
        return Sent(record(new, outcome), replayed=False)

    def _read(self, call: SendCall) -> tuple[SendContext, DayPrices | None, datetime]:
        with self.database.reading() as connection:
            # After the connection is opened, which measures this host's clock.
            now = self.clock.now()
            context = load_send_context(
                connection,
                caller=call.caller,
                use_case_id=call.request.use_case_id,
                to=resolve(call.request.to_phone_number),
                idempotent=call.idempotent,
                now=now,
            )
            prices, revision = None, context.price_revision
            if revision is not None:
                prices = self.prices.on(connection, revision, day_of(now))
        return context, prices, now

    def _after_another(self, call: SendCall) -> Sent:
        """Another request has taken the idempotency key."""
        context, _, now = self._read(call)
        admit_caller(call.caller, context, now)
        if call.idempotent is None or context.prior is None:
            raise e.IdempotencyConflict
        return self._replay(context.prior, call.idempotent, now)

    def _replay(self, prior: Prior, idempotent: IdempotentRequest, now: datetime) -> Sent:
        answer = first_answer(prior, idempotent, now)
        if answer is None:
            answer = self._answer_now(prior, idempotent)
        return Sent(answer, replayed=True)

    def _answer_now(self, prior: Prior, idempotent: IdempotentRequest) -> str:
        """Store the answer of a send that a callback or the worker has settled."""
        with self.database.reading() as connection:
            message = load_record(connection, prior.message_id)
        if message is None:  # it was just deleted: the next request sends it
            raise e.IdempotencyConflict
        answer = json.dumps(render_message(message))
        with self.database.writing_once() as connection:
            return keep_answer(connection, prior.workspace_id, idempotent, message.id, answer)

    def _record_refusal(self, refusal: Refusal, now: datetime) -> None:
        try:
            with self.database.writing_once() as connection:
                insert_refusal(connection, refusal, now)
        except e.ServiceUnavailable:
            # The refusal is valid even if its row could not be written.
            _log.warning("refusal_not_noted", code=refusal.code)


@dataclass(frozen=True, slots=True)
class Billing:
    segments: int
    estimate: Estimate | None
    access_key_id: UUID | None


def _billing(
    request: SendRequest, destination: Destination, principal: Principal, prices: DayPrices | None
) -> Billing:
    segments = count_segments(request.message)
    return Billing(
        segments=segments,
        estimate=None if prices is None else prices.estimate(destination.country, segments),
        access_key_id=principal.key_id if principal.kind is ActorKind.ACCESS_KEY else None,
    )


def _new_submission(
    use_case: UseCase,
    account: ProviderAccount,
    verdict: Verdict,
    *,
    call: SendCall,
    billing: Billing,
    now: datetime,
) -> NewSubmission:
    estimate = billing.estimate
    return NewSubmission(
        message_id=new_id(),
        workspace_id=use_case.workspace_id,
        use_case_id=use_case.use_case_id,
        account_sid=account.sid,
        to_number=PhoneNumber(call.request.to_phone_number),
        country=verdict.country or "",
        body=call.request.message,
        counted_segments=billing.segments,
        policy_revision=verdict.revision,
        created_at=now,
        messaging_service_sid=use_case.messaging_service_sid,
        estimated_price=None if estimate is None else estimate.millionths,
        estimate_currency=None if estimate is None else estimate.currency,
        access_key_id=billing.access_key_id,
        idempotent=call.idempotent,
    )


def _refusal(
    refused: e.PublicError, use_case: UseCase, destination: Destination, billing: Billing
) -> Refusal:
    details = refused.details or {}
    return Refusal(
        workspace_id=use_case.workspace_id,
        use_case_id=use_case.use_case_id,
        code=refused.code,
        number=destination.number,
        country=destination.country,
        segments=billing.segments,
        source=Source.ACCESS_KEY if isinstance(refused, e.Forbidden) else Source.POLICY,
        rule=RuleKind(details["rule"]) if "rule" in details else None,
        scope=Scope(details["scope"]) if "scope" in details else None,
        revision=details.get("revision"),
        access_key_id=billing.access_key_id,
        estimate=billing.estimate,
    )
