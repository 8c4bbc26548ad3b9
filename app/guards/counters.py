"""SQL of guard counters: checked and counted by the statement that writes the send.

The lock of a counter's row makes the check exact. Rows are locked in a fixed order. Above an
enforced limit, the statement writes nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, text, tuple_, update

from app.db.rows import AnyRow
from app.guards.limits import WINDOWS, GuardName, Window
from app.guards.tables import guard_counters
from app.guards.watches import (
    KEPT_STEPS,
    NOTHING,
    StepCounts,
    Trip,
    Watch,
    added,
    find_trips,
    held,
    live_steps,
    rolling_steps,
    shifted_to,
    step_at,
    taken_back,
)

_LOCK_ORDER = {
    GuardName.WORKSPACE: 0,
    GuardName.SPEND: 1,
    GuardName.COUNTRY: 2,
    GuardName.PREFIX: 3,
    GuardName.NUMBER: 4,
}

Key = tuple[UUID, str, str]
# Of each counter: both steps, and both counts, which are None below the limits.
Counts = Mapping[Key, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Counter:
    """The amount is 0 in a window without a limit."""

    watch: Watch
    key: Key
    steps: tuple[int, int]
    amounts: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Counted:
    """Subtracted if the message is never sent."""

    key: Key
    steps: tuple[int, int]
    amounts: tuple[int, int]


@dataclass(frozen=True, slots=True)
class CountResult:
    """The trips of a send in order, and its counts; nothing is counted if one refuses."""

    trips: tuple[Trip, ...]
    counted: tuple[Counted, ...]

    @property
    def refusal(self) -> Trip | None:
        """The first trip that refuses; it resets when none of them refuses any more."""
        refusing = [trip for trip in self.trips if trip.watch.is_enforced]
        if not refusing:
            return None
        resets = [trip.resets_at for trip in refusing if trip.resets_at is not None]
        return replace(
            refusing[0],
            resets_at=max(resets) if len(resets) == len(refusing) else None,
            can_fit=all(trip.can_fit for trip in refusing),
        )


def counters_of(watches: Sequence[Watch], pseudonym: str, now: datetime) -> tuple[Counter, ...]:
    """List the counters of a send in the order of locking."""
    if not watches:
        return ()
    rolling = rolling_steps(now)
    found = []
    for watch in watches:
        guard, (short, long) = watch.guard, WINDOWS[watch.guard]
        if guard is GuardName.SPEND:
            steps = step_at(guard, short, now), step_at(guard, long, now)
        else:
            steps = rolling[short], rolling[long]
        amounts = (
            watch.amount if short in watch.limits else 0,
            watch.amount if long in watch.limits else 0,
        )
        value = pseudonym if guard is GuardName.NUMBER else watch.value
        key = watch.scope_id, guard.value, value
        found.append(Counter(watch, key, steps, amounts))
    return tuple(sorted(found, key=_lock_order))


def _lock_order(counter: Counter) -> tuple[int, str]:
    return _LOCK_ORDER[counter.watch.guard], counter.key[2]


def sum_counters(of_sends: Iterable[Sequence[Counter]]) -> tuple[Counter, ...] | None:
    """Sum up the counters of several sends; None if two differ in more than their amounts."""
    found: dict[Key, tuple[Counter, list[int]]] = {}
    for counter in chain.from_iterable(of_sends):
        other, total = found.setdefault(counter.key, (counter, [0, 0]))
        if (counter.steps, counter.watch.limits) != (other.steps, other.watch.limits):
            return None
        total[0] += counter.amounts[0]
        total[1] += counter.amounts[1]
    summed = (replace(one, amounts=(short, long)) for one, (short, long) in found.values())
    return tuple(sorted(summed, key=_lock_order))


# On PostgreSQL: parts of the one statement that writes a submission. `checked` locks the counters
# and reads their current counts; if another statement has inserted a counter since this one
# began, it fails with a null and is repeated.
_ZEROS = f"array_fill(0::bigint, ARRAY[{KEPT_STEPS}])"


def _shifted(window: str) -> str:
    return f"""CASE WHEN c.version IS NULL THEN {_ZEROS} ELSE (array_fill(0::bigint, ARRAY[greatest(
      least(a.{window}_step - c.{window}_step, {KEPT_STEPS}), 0)::int])
      || c.{window}_counts)[1 : {KEPT_STEPS}] END"""


def _beyond(window: str) -> str:
    return f"""coalesce((SELECT sum(n) FROM unnest(h.{window}_counts[1 : a.live]) AS n)
      + a.{window}_amount > a.{window}_limit, false)"""  # noqa: S608


CHECKED = f"""asked AS (
  SELECT * FROM jsonb_to_recordset(CAST(:counters AS jsonb)) AS a (
    place int, scope_id uuid, guard text, value text, enforced boolean, live int,
    short_step bigint, short_amount bigint, short_limit bigint,
    long_step bigint, long_amount bigint, long_limit bigint)
), checked AS MATERIALIZED (
  SELECT a.place, a.scope_id, a.guard, a.value, a.enforced, a.short_amount, a.long_amount,
    c.version, h.*, {_beyond("short")} OR {_beyond("long")} AS is_beyond
  FROM asked AS a
  LEFT JOIN LATERAL (SELECT * FROM guard_counters AS k WHERE k.scope_id = a.scope_id
    AND k.guard = a.guard AND k.value = a.value FOR UPDATE) AS c ON true
  CROSS JOIN LATERAL (SELECT greatest(a.short_step, c.short_step) AS short_step,
    {_shifted("short")} AS short_counts, greatest(a.long_step, c.long_step) AS long_step,
    {_shifted("long")} AS long_counts) AS h
), refused AS (SELECT 1 FROM checked WHERE enforced AND is_beyond)"""  # noqa: S608
IS_ADMITTED = "NOT EXISTS (SELECT 1 FROM refused)"


def count_with(row: str, *, where: str, is_sound: str) -> str:
    """Return the SQL that adds to the counters ``where`` the row says so.

    It fails unless the row ``is_sound``.
    """
    return f"""counted AS (
  INSERT INTO guard_counters AS t (scope_id, guard, value, version,
    short_step, short_counts, long_step, long_counts)
  SELECT scope_id, guard, value, CASE WHEN {is_sound} THEN coalesce(version, 0) + 1 END,
    short_step, ARRAY[short_counts[1] + short_amount] || short_counts[2 : {KEPT_STEPS}],
    long_step, ARRAY[long_counts[1] + long_amount] || long_counts[2 : {KEPT_STEPS}]
  FROM checked, {row} WHERE {where}
  ON CONFLICT (scope_id, guard, value) DO UPDATE SET
    version = CASE WHEN excluded.version = t.version + 1 THEN excluded.version END,
    short_step = excluded.short_step, short_counts = excluded.short_counts,
    long_step = excluded.long_step, long_counts = excluded.long_counts
)"""  # noqa: S608


# The result: the steps of all counters, and the counts of those above a limit.
COUNT_RESULT = """(SELECT json_agg(json_build_array(place, short_step, long_step,
    CASE WHEN is_beyond THEN short_counts END,
    CASE WHEN is_beyond THEN long_counts END)) FROM checked)"""


def counters_json(counters: Sequence[Counter], *, enforce_all: bool) -> str:
    """Write the parameter ``counters``; its texts need no escaping."""
    written = [_counter_json(*one, enforce_all=enforce_all) for one in enumerate(counters)]
    return f"[{','.join(written)}]"


def _counter_json(place: int, counter: Counter, *, enforce_all: bool) -> str:
    watch, (scope_id, guard, value) = counter.watch, counter.key
    (short, long), limits = WINDOWS[watch.guard], watch.limits
    return (
        f'{{"place":{place},"scope_id":"{scope_id}","guard":"{guard}","value":"{value}",'
        f'"enforced":{"true" if enforce_all or watch.is_enforced else "false"},'
        f'"live":{live_steps(watch.guard)},'
        f'"short_step":{counter.steps[0]},"short_amount":{counter.amounts[0]},'
        f'"short_limit":{limits.get(short, "null")},"long_step":{counter.steps[1]},'
        f'"long_amount":{counter.amounts[1]},"long_limit":{limits.get(long, "null")}}}'
    )


def read_counts(counters: Sequence[Counter], found: Iterable[Sequence[Any]]) -> Counts:
    return {counters[place].key: rest for place, *rest in found}


def read_count_result(counters: Sequence[Counter], counts: Counts) -> CountResult:
    trips: list[Trip] = []
    counted = []
    for counter in counters:
        short_step, long_step, short_counts, long_counts = counts[counter.key]
        counted.append(Counted(counter.key, (short_step, long_step), counter.amounts))
        if short_counts is not None:
            current = StepCounts(short_step, short_counts), StepCounts(long_step, long_counts)
            trips += find_trips(counter.watch, current)
    return _result(trips, counted)


def _result(trips: list[Trip], counted: list[Counted]) -> CountResult:
    if not trips:
        return CountResult((), tuple(counted))
    order = list(GuardName)
    in_order = tuple(sorted(trips, key=lambda trip: order.index(trip.watch.guard)))
    result = CountResult(in_order, tuple(counted))
    return result if result.refusal is None else CountResult(in_order, ())


def count_on_sqlite(connection: Connection, counters: Sequence[Counter]) -> CountResult:
    """In a transaction that began with `BEGIN IMMEDIATE`."""
    stored = _load(connection, [counter.key for counter in counters])
    trips: list[Trip] = []
    counted, rows = [], []
    for counter in counters:
        current = _now(stored.get(counter.key), counter)
        trips += find_trips(counter.watch, current)
        counted.append(Counted(counter.key, (current[0].step, current[1].step), counter.amounts))
        pairs = zip(current, counter.amounts, strict=True)
        rows.append((counter.key, tuple(added(one, amount) for one, amount in pairs)))
    result = _result(trips, counted)
    if result.refusal is None:
        connection.execute(_WRITE_SQLITE, [_sqlite_row(key, *counts) for key, counts in rows])
    return result


_WRITE_SQLITE = text(
    """INSERT INTO guard_counters AS t (scope_id, guard, value, version,
    short_step, short_counts, long_step, long_counts)
  VALUES (:scope_id, :guard, :value, 1, :short_step, :short_counts, :long_step, :long_counts)
  ON CONFLICT (scope_id, guard, value) DO UPDATE SET version = t.version + 1,
    short_step = excluded.short_step, short_counts = excluded.short_counts,
    long_step = excluded.long_step, long_counts = excluded.long_counts"""
)


def _sqlite_row(key: Key, short: StepCounts, long: StepCounts) -> dict[str, Any]:
    return {
        "scope_id": key[0].hex,
        "guard": key[1],
        "value": key[2],
        "short_step": short.step,
        "short_counts": json.dumps(short.counts),
        "long_step": long.step,
        "long_counts": json.dumps(long.counts),
    }


def load_trips(connection: Connection, counters: Sequence[Counter]) -> tuple[Trip, ...]:
    """Return the trips of a send, without counting or locking."""
    stored = _load(connection, [counter.key for counter in counters])
    trips = [
        trip
        for counter in counters
        for trip in find_trips(counter.watch, _now(stored.get(counter.key), counter))
    ]
    return _result(trips, []).trips


def _now(row: AnyRow | None, counter: Counter) -> tuple[StepCounts, StepCounts]:
    short, long = (NOTHING, NOTHING) if row is None else _counts(row)
    return shifted_to(short, counter.steps[0]), shifted_to(long, counter.steps[1])


def _counts(row: AnyRow) -> tuple[StepCounts, StepCounts]:
    return (
        StepCounts(row.short_step, row.short_counts),
        StepCounts(row.long_step, row.long_counts),
    )


def _load(connection: Connection, keys: Sequence[Key], *, lock: bool = False) -> dict[Key, AnyRow]:
    columns = guard_counters.c
    query = select(guard_counters).where(
        tuple_(columns.scope_id, columns.guard, columns.value).in_(keys)
    )
    if lock:
        query = query.with_for_update()
    return {(row.scope_id, row.guard, row.value): row for row in connection.execute(query)}


def give_back(connection: Connection, counted: Sequence[Counted]) -> None:
    """Subtract the counts from windows that still contain them."""
    columns = guard_counters.c
    for one in counted:
        row = _load(connection, [one.key], lock=True).get(one.key)
        if row is None:
            continue
        short, long = (
            taken_back(counts, step, amount)
            for counts, step, amount in zip(_counts(row), one.steps, one.amounts, strict=True)
        )
        scope_id, guard, value = one.key
        connection.execute(
            update(guard_counters)
            .where(columns.scope_id == scope_id, columns.guard == guard, columns.value == value)
            .values(short_counts=list(short.counts), long_counts=list(long.counts))
        )


def held_now(connection: Connection, key: Key, window: Window, now: datetime) -> int:
    row = _load(connection, [key]).get(key)
    if row is None:
        return 0
    guard = GuardName(key[1])
    counts = _counts(row)[WINDOWS[guard].index(window)]
    return held(guard, shifted_to(counts, step_at(guard, window, now)))
