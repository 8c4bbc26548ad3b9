"""The counters in the database count as the pure rules do, on both engines."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import Connection, select, text

from app.db.engine import Database
from app.guards.counters import (
    CHECKED,
    COUNT_RESULT,
    IS_ADMITTED,
    CountResult,
    count_on_sqlite,
    count_with,
    counters_json,
    counters_of,
    give_back,
    load_trips,
    read_count_result,
    read_counts,
)
from app.guards.limits import GuardMode, GuardName, GuardScope, Window
from app.guards.tables import guard_counters
from app.guards.watches import (
    NOTHING,
    StepCounts,
    Watch,
    added,
    find_trips,
    shifted_to,
    step_at,
)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NUMBER = Watch(
    guard=GuardName.NUMBER,
    scope=GuardScope.WORKSPACE,
    scope_id=UUID(int=1),
    value="+12025550123",
    mode=GuardMode.ENFORCE,
    amount=1,
    limits={Window.HOUR: 10, Window.DAY: 25},
)
WORKSPACE = replace(
    NUMBER,
    guard=GuardName.WORKSPACE,
    value="",
    amount=2,
    limits={Window.MINUTE: 12, Window.DAY: 60},
)
SPEND = replace(
    NUMBER, guard=GuardName.SPEND, value="", amount=75_000, limits={Window.DAY: 3_000_000}
)
_COUNTED = count_with("admitted", where="true", is_sound="true")
_ALONE = text(
    f"WITH {CHECKED}, admitted AS (SELECT 1 WHERE {IS_ADMITTED}), {_COUNTED} SELECT {COUNT_RESULT}"
)


def count(connection: Connection, now: datetime, *watches: Watch) -> CountResult:
    """Count in a statement that does nothing else."""
    counters = counters_of(watches, "~0123456789abcde", now)
    if connection.dialect.name == "sqlite":
        return count_on_sqlite(connection, counters)
    given = {"counters": counters_json(counters, enforce_all=False)}
    found = connection.execute(_ALONE, given).scalar_one()
    return read_count_result(counters, read_counts(counters, found))


def test_the_database_counts_as_the_pure_rules_do(database: Database) -> None:
    random = Random(7)
    now = NOON
    windows = {
        GuardName.NUMBER: (NUMBER, Window.HOUR, Window.DAY),
        GuardName.WORKSPACE: (WORKSPACE, Window.MINUTE, Window.DAY),
        GuardName.SPEND: (SPEND, Window.DAY, Window.MONTH),
    }
    counts: dict[tuple[GuardName, Window], StepCounts] = {
        (guard, window): NOTHING for guard, (_, *pair) in windows.items() for window in pair
    }
    refused = 0
    for _ in range(300):
        now += timedelta(seconds=random.choice([0, 0, 0, 1, 5, 60, 60, 200, 600, 4000, 90_000]))
        asked = [guard for guard in windows if random.random() < 0.8]
        current = {
            (guard, window): shifted_to(counts[guard, window], step_at(guard, window, now))
            for guard in asked
            for window in windows[guard][1:]
        }
        trips = [
            trip
            for guard in asked
            for trip in find_trips(
                windows[guard][0], [current[guard, window] for window in windows[guard][1:]]
            )
        ]
        with database.writing() as connection:
            found = count(connection, now, *(windows[guard][0] for guard in asked))
        assert list(found.trips) == trips
        if trips:
            refused += 1
            assert found.counted == ()
            continue
        for (guard, window), of_window in current.items():
            watch = windows[guard][0]
            amount = watch.amount if window in watch.limits else 0
            counts[guard, window] = added(of_window, amount)
    assert 20 < refused < 280


def test_a_send_above_an_enforced_limit_is_not_counted(database: Database) -> None:
    """Break: leave `refused` out of the condition, and the number counts."""
    tight = replace(WORKSPACE, limits={Window.MINUTE: 1})
    with database.writing() as connection:
        result = count(connection, NOON, NUMBER, tight)
    assert result.refusal is not None
    assert (result.refusal.watch, result.refusal.resets_at) == (tight, None)
    with database.reading() as connection:
        assert connection.execute(select(guard_counters)).all() == []


def test_a_monitored_limit_refuses_nothing_and_keeps_counting(database: Database) -> None:
    watched = replace(NUMBER, mode=GuardMode.MONITOR, limits={Window.HOUR: 1})
    with database.writing() as connection:
        counted = [count(connection, NOON, watched) for _ in range(3)]
    assert [one.refusal for one in counted] == [None, None, None]
    assert [[trip.count for trip in one.trips] for one in counted] == [[], [1], [2]]


def test_the_first_guard_in_the_order_of_the_table_answers(database: Database) -> None:
    none = {Window.HOUR: 0}
    watches = [
        replace(NUMBER, guard=guard, value=guard[:2], limits=none)
        for guard in (GuardName.COUNTRY, GuardName.PREFIX, GuardName.NUMBER)
    ]
    with database.writing() as connection:
        result = count(connection, NOON, *watches)
    assert [trip.watch.guard for trip in result.trips] == ["number", "prefix", "country"]


def test_a_window_without_a_limit_is_not_counted(database: Database) -> None:
    with database.writing() as connection:
        count(connection, NOON, replace(NUMBER, limits={Window.DAY: 5}))
        (row,) = connection.execute(select(guard_counters))
    assert (sum(row.short_counts), sum(row.long_counts)) == (0, 1)
    assert row.value == "~0123456789abcde"


def test_returned_counts_leave_room_and_judging_counts_nothing(database: Database) -> None:
    tight = replace(NUMBER, limits={Window.HOUR: 1, Window.DAY: 1})
    counters = counters_of([tight], "~0123456789abcde", NOON)
    with database.writing() as connection:
        assert load_trips(connection, counters) == ()
        counted = count(connection, NOON, tight).counted
        assert len(load_trips(connection, counters)) == 2
        later = NOON + timedelta(minutes=50)
        assert count(connection, later, tight).refusal is not None
        give_back(connection, counted)
        give_back(connection, counted)
        assert load_trips(connection, counters) == ()
        assert count(connection, later, tight).refusal is None


def test_the_statement_leaves_room_for_the_submission() -> None:
    """The driver parses what is longer than 4,096 characters anew for each call."""
    assert len(str(_ALONE)) < 3000
