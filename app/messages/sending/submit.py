"""Submitting: a place, the submission with its guards, and the call of the provider.

Places are limited to keep threads for callbacks. Only calls that were never processed are retried,
within 3 s.
"""

import collections
import math
import random
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.db.engine import Database
from app.destinations.policy.evaluate import Scope, Source
from app.destinations.refusals import Refusal, insert_refusal
from app.guards.alerts import Hit, count_hit, record_hit
from app.guards.autos import AutosOfSends
from app.guards.counters import Counter, Judgement, counters_of, judge
from app.guards.facts import GuardFacts, delivery_trip
from app.guards.limits import (
    GuardedSend,
    GuardMode,
    GuardName,
    GuardScope,
    Trip,
)
from app.guards.refusal_texts import refusal_details, refusal_message
from app.guards.tables import guard_counters
from app.kernel.errors import GuardTripped, Quota, RateLimited, ServiceUnavailable
from app.messages.sending.admission import UseCase
from app.messages.sending.idempotency import LIFETIME, IdempotentRequest
from app.messages.sending.outcomes import NewSubmission, open_submission
from app.messages.tables import idempotency_keys
from app.prices.price_table import Estimate
from app.providers.port import NeverProcessed, Outbound, Outcome, SmsProvider, Unconfirmed
from app.web.metrics import GUARD_TRIPS, PROVIDER_SECONDS

_log = structlog.get_logger(__name__)
TRY_FOR_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.2
# A statement is repeated if another one inserted one of its few counters since it began.
_WRITE_TRIES = 8
_NOT_NULL, _DEADLOCK = "23502", "40P01"


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
        self.as_limit = RateLimited(Quota("sends", places))
        super().__init__()


class InFlight:
    """The concurrent provider calls of one process.

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
class OpenGuarded:
    """Writes submissions that their guards permit."""

    database: Database
    pseudonym: Callable[[str], str]
    fresh_autos: AutosOfSends

    def __call__(
        self, use_case: UseCase, new: NewSubmission, idempotent: IdempotentRequest | None
    ) -> NewSubmission | None:
        """Return the submission with its counts; None if its idempotency key is in use.

        Raises `GuardTripped`.
        """
        facts = use_case.guarding
        if facts.lacks_auto(new.created_at):
            facts = self.fresh_autos(new.workspace_id, facts, new.created_at)
        watches = facts.watches(_guarded_send(use_case, new))
        is_counted_by_number = any(watch.guard is GuardName.NUMBER for watch in watches)
        pseudonym = self.pseudonym(new.to_number) if is_counted_by_number else ""
        counters = counters_of(watches, pseudonym, new.created_at)
        collapsed = _collapsed(facts, new)
        if collapsed is not None and collapsed.watch.is_enforced:
            is_ours, judgement = True, self._judge(counters, collapsed)
        else:
            is_ours, judgement = self._open(new, idempotent, counters)
        if judgement.refusal is not None:
            if idempotent is not None and self._is_taken(new, idempotent):
                # The same request has just been counted: return the first answer.
                return None
            self._record(new, judgement.refusal, counters, refuses=True)
            raise GuardTripped(
                refusal_message(
                    judgement.refusal, new.estimate_currency, facts.guards.delivery.counts
                ),
                details=refusal_details(
                    judgement.refusal, new.country or None, new.estimate_currency
                ),
            )
        if not is_ours:
            return None
        for trip in (*judgement.trips, *([] if collapsed is None else [collapsed])):
            self._record(new, trip, counters, refuses=False)
        return replace(new, counted=judgement.counted)

    def _is_taken(self, new: NewSubmission, idempotent: IdempotentRequest) -> bool:
        columns = idempotency_keys.c
        query = select(columns.message_id).where(
            columns.workspace_id == new.workspace_id,
            columns.key_hash == idempotent.key_hash,
            columns.created_at > new.created_at - LIFETIME,
        )
        with self.database.reading() as connection:
            return connection.execute(query).first() is not None

    def _judge(self, counters: tuple[Counter, ...], collapsed: Trip) -> Judgement:
        """Check the other guards first: they come before `delivery`."""
        with self.database.reading() as connection:
            trips = judge(connection, counters)
        return Judgement((*trips, collapsed), ())

    def _open(
        self,
        new: NewSubmission,
        idempotent: IdempotentRequest | None,
        counters: tuple[Counter, ...],
    ) -> tuple[bool, Judgement]:
        for last in (*[False] * (_WRITE_TRIES - 1), True):
            try:
                return open_submission(self.database, new, idempotent, counters)
            except (IntegrityError, ServiceUnavailable) as problem:
                if last or not _is_lost_race(problem):
                    raise
        raise ServiceUnavailable

    def _record(
        self, new: NewSubmission, trip: Trip, counters: tuple[Counter, ...], *, refuses: bool
    ) -> None:
        guard = trip.watch.guard
        GUARD_TRIPS.labels(guard.value, trip.watch.mode.value).inc()
        values = [one.value for one in counters if one.watch.guard is guard]
        hit = Hit(new.workspace_id, trip, values[0] if values else trip.watch.value)
        try:
            if not refuses:
                with self.database.writing_once() as connection:
                    if count_hit(connection, hit, new.created_at):
                        return
            with self.database.writing() as connection:
                if refuses:
                    insert_refusal(connection, _refusal(new, trip), new.created_at)
                record_hit(connection, hit, new.created_at)
        except ServiceUnavailable:
            # The decision is valid even if it could not be recorded.
            _log.warning("guard_trip_not_noted", guard=guard.value)


def _guarded_send(use_case: UseCase, new: NewSubmission) -> GuardedSend:
    return GuardedSend(
        workspace_id=new.workspace_id,
        use_case_id=new.use_case_id,
        home_country=use_case.guarding.home_country,
        number=new.to_number,
        country=new.country or None,
        segments=new.counted_segments,
        cost_millionths=new.estimated_price,
    )


def _collapsed(facts: GuardFacts, new: NewSubmission) -> Trip | None:
    guard = facts.guards.delivery
    if facts.collapse is None or guard.mode is GuardMode.OFF or guard.below is None:
        return None
    return delivery_trip(guard, new.workspace_id, facts.collapse)


def _refusal(new: NewSubmission, trip: Trip) -> Refusal:
    is_of_use_case = trip.watch.scope is GuardScope.USE_CASE
    estimate = None
    if new.estimated_price is not None and new.estimate_currency is not None:
        estimate = Estimate(new.estimated_price, new.estimate_currency)
    return Refusal(
        workspace_id=new.workspace_id,
        use_case_id=new.use_case_id,
        code=GuardTripped.__name__,
        number=new.to_number,
        country=new.country or None,
        segments=new.counted_segments,
        source=Source.GUARD,
        rule=trip.watch.guard,
        scope=Scope.USE_CASE if is_of_use_case else Scope.WORKSPACE,
        estimate=estimate,
        access_key_id=new.access_key_id,
    )


def _is_lost_race(problem: Exception) -> bool:
    """Whether to repeat: a counter is new, or a deadlock occurred."""
    failed = getattr(problem, "orig", None) or getattr(problem.__cause__, "orig", None)
    state = getattr(failed, "sqlstate", None)
    if state == _DEADLOCK:
        return True
    table = getattr(getattr(failed, "diag", None), "table_name", None)
    return state == _NOT_NULL and table == guard_counters.name
