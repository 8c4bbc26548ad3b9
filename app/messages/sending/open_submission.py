"""Opens a submission: its guards are checked and counted by the statement that writes it.

It is committed before the provider is called: by one statement on PostgreSQL, in one immediate
transaction on SQLite.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app.db.engine import Database
from app.db.statement import Statement, rows_json, rows_of
from app.destinations.policy.evaluate import Scope, Source
from app.destinations.refusals import Refusal, insert_refusal
from app.guards.alerts import Hit, count_hit, record_hit
from app.guards.autos import AutosOfSends
from app.guards.counters import (
    CHECKED,
    COUNT_RESULT,
    IS_ADMITTED,
    Counted,
    Counter,
    CountResult,
    Counts,
    count_on_sqlite,
    count_with,
    counters_json,
    counters_of,
    load_trips,
    read_count_result,
    read_counts,
    sum_counters,
)
from app.guards.facts import GuardFacts, delivery_trip
from app.guards.limits import GuardMode, GuardName, GuardScope
from app.guards.tables import guard_counters
from app.guards.texts import refusal_details, refusal_message
from app.guards.watches import GuardedSend, Trip
from app.kernel.batches import Batches
from app.kernel.errors import GuardTripped, ServiceUnavailable
from app.kernel.phone import PhoneNumber
from app.messages.check_times import UNSETTLED_CHECKS_BEGIN
from app.messages.lifecycle import Submission
from app.messages.sending.admission import UseCase
from app.messages.sending.idempotency import LIFETIME, IdempotentRequest
from app.messages.tables import idempotency_keys
from app.prices.price_table import Estimate
from app.providers.port import Status
from app.web.metrics import GUARD_TRIPS

_log = structlog.get_logger(__name__)
# A statement is repeated if another one inserted one of its few counters since it began.
_WRITE_TRIES = 8
_NOT_NULL, _DEADLOCK = "23502", "40P01"


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
    idempotent: IdempotentRequest | None = None
    # The counts of guards, subtracted again if the provider never sends it.
    counted: tuple[Counted, ...] = ()


_PARAMETERS = [name for name in NewSubmission.__slots__ if name not in {"idempotent", "counted"}]
# The columns of a submission, with their parameters and types.
_COLUMNS = {
    "id": ("message_id", "uuid"),
    "workspace_id": ("workspace_id", "uuid"),
    "use_case_id": ("use_case_id", "uuid"),
    "account_sid": ("account_sid", "text"),
    "messaging_service_sid": ("messaging_service_sid", "text"),
    "to_number": ("to_number", "text"),
    "country": ("country", "text"),
    "body": ("body", "text"),
    "counted_segments": ("counted_segments", "integer"),
    "policy_revision": ("policy_revision", "integer"),
    "estimated_price": ("estimated_price", "bigint"),
    "estimate_currency": ("estimate_currency", "text"),
    "access_key_id": ("access_key_id", "uuid"),
    "created_at": ("created_at", "timestamptz"),
    "updated_at": ("created_at", "timestamptz"),
    "check_at": ("first_check_at", "timestamptz"),
}
_INSERT = f"INSERT INTO messages ({', '.join(_COLUMNS)}, submission, status)"
_NEW = f"'{Submission.OPEN}', '{Status.PENDING}'"
_SUBMISSION = f"""{_INSERT}
SELECT {", ".join(f":{name}::{kind}" for name, kind in _COLUMNS.values())}, {_NEW}"""

# Claims an idempotency key that is free or expired.
_CLAIM = """INSERT INTO idempotency_keys AS held (
    workspace_id, key_hash, request_hash, message_id, created_at)
  SELECT {given}
  ON CONFLICT (workspace_id, key_hash) DO UPDATE
  SET request_hash = excluded.request_hash, message_id = excluded.message_id,
    answer = NULL, created_at = excluded.created_at
  WHERE held.created_at <= :keys_live_since
  RETURNING message_id"""
_CLAIM_ONE = _CLAIM.format(
    given=":workspace_id::uuid, :key_hash, :request_hash, :message_id::uuid, "
    ":created_at::timestamptz WHERE true"
)

_OPEN = Statement(_SUBMISSION)
_OPEN_WITH_KEY = Statement(f"WITH claim AS ({_CLAIM_ONE})\n{_SUBMISSION}\nFROM claim")
_CLAIM_FIRST = Statement(_CLAIM_ONE)

# With guards, for PostgreSQL (see app.guards.counters): one send, or several of which each must be
# admitted. Of several, an idempotency key in use makes the statement fail.
_FIELDS = dict(_COLUMNS.values()) | {"key_hash": "text", "request_hash": "text"}
_CLAIM_EACH = _CLAIM.format(
    given="workspace_id, key_hash, request_hash, message_id, created_at FROM admitted"
    " WHERE key_hash IS NOT NULL"
)
_COUNTED = count_with("claims", where="sends > 1 OR (sends = 1 AND are_ours)", is_sound="are_ours")
_OPEN_COUNTED = Statement(
    f"""WITH {CHECKED}, admitted AS (
  {rows_of("sends", "s", _FIELDS)} WHERE {IS_ADMITTED}
), claim AS ({_CLAIM_EACH}), claims AS (
  SELECT count(key_hash) = (SELECT count(*) FROM claim) AS are_ours, count(*) AS sends
  FROM admitted
), {_COUNTED}, opened AS ({_INSERT}
SELECT {", ".join(name for name, _ in _COLUMNS.values())}, {_NEW} FROM admitted, claims
WHERE are_ours RETURNING id)
SELECT EXISTS (SELECT 1 FROM opened) AS is_open, {COUNT_RESULT} AS result"""
)
_NOTHING_COUNTED = CountResult((), ())


class _Undone(Exception):
    """Rolls back the transaction of a send that a guard refuses."""

    def __init__(self, result: CountResult) -> None:
        self.result = result
        super().__init__()


Opened = tuple[bool, CountResult]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A send with its counters."""

    new: NewSubmission
    counters: tuple[Counter, ...]


def open_submission(
    database: Database, new: NewSubmission, counters: Sequence[Counter] = ()
) -> Opened:
    """Insert and count a submission; False if its idempotency key is in use.

    If a guard refuses the send, nothing is written.
    """
    try:
        with database.writing_once() as connection:
            if connection.dialect.name != "postgresql":
                return _open_on_sqlite(connection, _values(new), counters)
            if counters:
                is_open, counts = _open_counted(connection, [new], counters)
                return is_open, read_count_result(counters, counts)
            statement = _OPEN if new.idempotent is None else _OPEN_WITH_KEY
            return statement.run(connection, _values(new)) == 1, _NOTHING_COUNTED
    except _Undone as undone:
        return True, undone.result


def open_together(database: Database, sends: Sequence[Guarded]) -> list[Opened] | None:
    """Open several submissions; None, and nothing is written, unless all limits hold all of them.

    Raises `IntegrityError` if an idempotency key is in use.
    """
    counters = sum_counters(one.counters for one in sends)
    keys = [one.new.idempotent.key_hash for one in sends if one.new.idempotent is not None]
    if counters is None or len(keys) > len(set(keys)):
        return None
    with database.writing_once() as connection:
        is_open, counts = _open_counted(connection, [one.new for one in sends], counters)
    if not is_open:
        return None
    return [(True, read_count_result(one.counters, counts)) for one in sends]


def _values(new: NewSubmission) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(new, name) for name in _PARAMETERS}
    values["first_check_at"] = new.created_at + UNSETTLED_CHECKS_BEGIN
    if new.idempotent is not None:
        values["key_hash"] = new.idempotent.key_hash
        values["request_hash"] = new.idempotent.request_hash
        values["keys_live_since"] = new.created_at - LIFETIME
    return values


def _open_counted(
    connection: Connection, sends: Sequence[NewSubmission], counters: Sequence[Counter]
) -> tuple[bool, Counts]:
    row = _OPEN_COUNTED.first(
        connection,
        {
            "sends": rows_json(map(_values, sends)),
            "counters": counters_json(counters, enforce_all=len(sends) > 1),
            "keys_live_since": min(new.created_at for new in sends) - LIFETIME,
        },
    )
    return row.is_open, read_counts(counters, row.result)


def _open_on_sqlite(
    connection: Connection, values: dict[str, Any], counters: Sequence[Counter]
) -> Opened:
    """SQLite has no writing CTE, and one writer at a time."""
    if "key_hash" in values and _CLAIM_FIRST.first(connection, values) is None:
        return False, _NOTHING_COUNTED
    result = count_on_sqlite(connection, counters) if counters else _NOTHING_COUNTED
    if result.refusal is not None:
        raise _Undone(result)
    return _OPEN.run(connection, values) == 1, result


@dataclass(frozen=True, slots=True)
class OpenGuarded:
    database: Database
    pseudonym: Callable[[str], str]
    fresh_autos: AutosOfSends
    # Two batches would only wait for each other's counters.
    batches: Batches[Guarded, Opened] = field(default_factory=lambda: Batches(most_running=1))

    def __call__(self, use_case: UseCase, new: NewSubmission) -> NewSubmission | None:
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
            is_ours, result = True, self._check_only(counters, collapsed)
        else:
            is_ours, result = self._open(new, counters)
        if result.refusal is not None:
            if new.idempotent is not None and self._is_taken(new, new.idempotent):
                # The same request has just been counted: return the first answer.
                return None
            self._record(new, result.refusal, counters, refuses=True)
            raise GuardTripped(
                refusal_message(
                    result.refusal, new.estimate_currency, facts.guards.delivery.counts
                ),
                details=refusal_details(result.refusal, new.country, new.estimate_currency),
            )
        if not is_ours:
            return None
        for trip in (*result.trips, *([] if collapsed is None else [collapsed])):
            self._record(new, trip, counters, refuses=False)
        return replace(new, counted=result.counted)

    def _is_taken(self, new: NewSubmission, idempotent: IdempotentRequest) -> bool:
        columns = idempotency_keys.c
        query = select(columns.message_id).where(
            columns.workspace_id == new.workspace_id,
            columns.key_hash == idempotent.key_hash,
            columns.created_at > new.created_at - LIFETIME,
        )
        with self.database.reading() as connection:
            return connection.execute(query).first() is not None

    def _check_only(self, counters: tuple[Counter, ...], collapsed: Trip) -> CountResult:
        """Check the other guards first: they come before `delivery`."""
        with self.database.reading() as connection:
            trips = load_trips(connection, counters)
        return CountResult((*trips, collapsed), ())

    def _open(self, new: NewSubmission, counters: tuple[Counter, ...]) -> Opened:
        """On PostgreSQL, sends that wait for the same first counter are opened together.

        Otherwise each of them would wait for the commit of the one before it.
        """
        send = Guarded(new, counters)
        if not counters or self.database.is_sqlite:
            return self._open_alone(send)
        return self.batches.do(counters[0].key, send, self._open_together, self._open_alone)

    def _open_together(self, sends: Sequence[Guarded]) -> list[Opened] | None:
        try:
            return open_together(self.database, sends)
        except SQLAlchemyError:
            return None  # the send with the problem has it alone
        except ServiceUnavailable as problem:
            if not _is_lost_race(problem):
                raise
            return None

    def _open_alone(self, send: Guarded) -> Opened:
        for last in (*[False] * (_WRITE_TRIES - 1), True):
            try:
                return open_submission(self.database, send.new, send.counters)
            except (IntegrityError, ServiceUnavailable) as problem:
                if last or not _is_lost_race(problem):
                    raise
        raise ServiceUnavailable

    def _record(
        self, new: NewSubmission, trip: Trip, counters: tuple[Counter, ...], *, refuses: bool
    ) -> None:
        guard = trip.watch.guard
        GUARD_TRIPS.labels(guard.value, trip.watch.mode.value).inc()
        values = [one.key[2] for one in counters if one.watch.guard is guard]
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
        country=new.country,
        segments=new.counted_segments,
        cost_millionths=new.estimated_price,
    )


def _collapsed(facts: GuardFacts, new: NewSubmission) -> Trip | None:
    guard = facts.guards.delivery
    if facts.collapse is None or guard.mode is GuardMode.OFF or guard.below is None:
        return None
    return delivery_trip(guard, new.workspace_id, facts.collapse)


def _refusal(new: NewSubmission, trip: Trip) -> Refusal:
    estimate = None
    if new.estimated_price is not None and new.estimate_currency is not None:
        estimate = Estimate(new.estimated_price, new.estimate_currency)
    return Refusal(
        workspace_id=new.workspace_id,
        use_case_id=new.use_case_id,
        code=GuardTripped.__name__,
        number=new.to_number,
        country=new.country,
        segments=new.counted_segments,
        source=Source.GUARD,
        rule=trip.watch.guard,
        scope=Scope.USE_CASE if trip.watch.scope is GuardScope.USE_CASE else Scope.WORKSPACE,
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
