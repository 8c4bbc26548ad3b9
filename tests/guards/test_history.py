"""What guards draw from the messages of the past: "auto", dry runs and suggestions."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from app.access.principal import Role
from app.db.encryption import Cipher
from app.guards.autos import AutosOfSends, RefreshAutos
from app.guards.facts import GuardFacts
from app.guards.history import HourTraffic
from app.guards.limits import AUTO_DAYS, Guards
from app.guards.suggest import p95
from app.guards.tables import guard_autos, guard_trips
from app.kernel.ids import new_id
from app.messages.history import GuardHistory
from app.prices.price_table import PriceTable
from support.console import signed_in
from support.each import each
from support.factories import BR_NUMBER, US_NUMBER, open_gateway
from support.guards import DEFAULTS, FLOORS, OFF, GuardsClient
from support.plans import statements_of
from support.polling import PATIENCE_SECONDS
from support.served import Served
from support.tables import unchanged
from support.time import ManualClock
from support.traffic import Past, write_messages

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
YESTERDAY = datetime(2026, 1, 30, 10, 0, 30, tzinfo=UTC)
MA = "+212612345678"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SEED: dict[str, Any] = {"mode": "enforce"}


@pytest.fixture
def timed(served: Served, guards: GuardsClient, cipher: Cipher, tmp_path: Path) -> GuardsClient:
    """The desk at noon of a day."""
    clock = ManualClock(NOON).clock()
    gateway = open_gateway(served.factory.database, cipher, tmp_path, clock=clock)
    return GuardsClient(gateway, guards.tenant, guards.factory)


def sent(
    guards: GuardsClient,
    number: str,
    at: datetime,
    *,
    times: int = 1,
    segments: int = 1,
    **more: Any,
) -> None:
    write_messages(
        guards.factory.database,
        [Past(guards.tenant, number, at, segments=segments, **more) for _ in range(times)],
    )


def tripped(guards: GuardsClient, guard: str, value: str, period: datetime) -> None:
    guards.factory.write(
        guard_trips.insert().values(
            workspace_id=guards.tenant.workspace_id, guard=guard, value=value, period=period
        )
    )


def of_messages(asked: list[tuple[str, Any]]) -> list[str]:
    return [text for text, _ in asked if "FROM messages" in text]


def auto_of_a_new_day(guards: GuardsClient) -> Any:
    guards.factory.write(guard_autos.delete())
    return guards.get()["auto"]


def test_auto_is_three_times_the_busiest_window_and_never_below_the_floor(
    timed: GuardsClient,
) -> None:
    """Break: count today, too, and the country of today has a limit of its own."""
    assert timed.get()["auto"] == FLOORS
    sent(timed, BR_NUMBER, YESTERDAY, times=30)
    sent(timed, BR_NUMBER, YESTERDAY + HOUR, times=45, segments=4)
    sent(timed, BR_NUMBER, YESTERDAY - 14 * DAY, times=20)
    sent(timed, BR_NUMBER, YESTERDAY - 15 * DAY, times=99)
    sent(timed, BR_NUMBER, YESTERDAY, times=99, submission="refused")
    sent(timed, US_NUMBER, YESTERDAY, times=60)
    sent(timed, MA, NOON - HOUR, times=99)
    sent(timed, MA, YESTERDAY, times=16)
    assert auto_of_a_new_day(timed) == {
        "country": {"hour": 50, "day": 200, "countries": {"BR": {"hour": 135, "day": 225}}},
        "workspace": {"minute": 540, "day": 10000},
    }
    tripped(timed, "country", "BR", (YESTERDAY + HOUR).replace(second=0))
    tripped(timed, "workspace", "", (YESTERDAY + HOUR).replace(second=0))
    assert auto_of_a_new_day(timed) == {
        "country": {"hour": 50, "day": 200, "countries": {"BR": {"hour": 90, "day": 200}}},
        "workspace": {"minute": 318, "day": 10000},
    }
    named = {"country": {"countries": {"US": {}}}}
    timed.put({"guards": named})
    assert timed.get()["auto"]["country"]["countries"]["US"] == {"hour": 180, "day": 200}


def test_auto_reads_the_messages_once_a_day(timed: GuardsClient) -> None:
    """Break: in `app/guards/autos.py`, `ensure_autos`, leave out the write."""
    sent(timed, MA, YESTERDAY, times=17)
    page = signed_in(timed.gateway, timed.tenant.keys[Role.ADMIN])
    database = timed.factory.database
    with statements_of(database) as asked:
        before = timed.get()["auto"]
    assert len(of_messages(asked)) == 2 * AUTO_DAYS
    with statements_of(database) as asked:
        assert timed.get()["auto"] == before
        assert page.get("/console/guards").status_code == 200
        timed.set(country=SEED | {"hour": "auto", "day": 7})
    assert of_messages(asked) == []


def test_auto_of_an_older_version_is_written_again_on_its_day(timed: GuardsClient) -> None:
    """Break: go by the column `day`: a change failed, and each send read the guards once more."""
    older = {"workspace": FLOORS, "use_cases": {}}
    timed.get()
    for step in (timed.set, lambda: timed.gateway.send(timed.tenant), timed.get):
        timed.factory.write(guard_autos.update().values(limits=older))
        step()
        (row,) = timed.factory.rows(guard_autos, workspace_id=timed.tenant.workspace_id)
        assert row["limits"]["day"] == NOON.date().isoformat()
        timed.put({"guards": {}})


def test_auto_is_computed_of_few_rows(timed: GuardsClient) -> None:
    """Break: in `app/messages/history.py`, `hours`, sum up by minute; or order by minute."""
    history, workspace_id = GuardHistory(), timed.tenant.workspace_id
    for minute in range(25):
        sent(timed, MA, YESTERDAY + minute * MINUTE, segments=1 + minute % 9)
    with timed.factory.database.reading() as c:
        (hour,) = history.hours(c, workspace_id, YESTERDAY.date())
        minutes = list(history.busiest_minutes(c, workspace_id, YESTERDAY.date(), 2))
    assert (hour.hour, hour.country, hour.messages) == (YESTERDAY.replace(second=0), "MA", 25)
    assert [one.segments for one in minutes] == [9, 9]
    busiest = {YESTERDAY.replace(minute=minute, second=0) for minute in (8, 17)}
    assert {one.minute for one in minutes} == busiest


def test_change_of_guards_reads_no_message_while_it_locks_the_policy(timed: GuardsClient) -> None:
    """Break: in `app/guards/manage.py`, `change`, leave out the values that were read before."""
    sent(timed, MA, YESTERDAY, times=17)
    own = {"country": SEED | {"hour": "auto", "day": None}}
    with statements_of(timed.factory.database) as asked:
        timed.set({timed.tenant.use_case_id: own})
    writes = [
        place for place, (text, _) in enumerate(asked) if text.startswith(("UPDATE", "INSERT"))
    ]
    reads = [place for place, one in enumerate(asked) if of_messages([one])]
    assert len(reads) == 2 * AUTO_DAYS
    assert max(reads) < min(writes)


def test_the_worker_writes_auto_for_the_sends_of_a_day(timed: GuardsClient) -> None:
    sent(timed, MA, YESTERDAY, times=17)
    refresh = RefreshAutos(timed.factory.database, ManualClock(NOON).clock(), GuardHistory())
    refresh.run_once()
    (row,) = timed.factory.rows(guard_autos, workspace_id=timed.tenant.workspace_id)
    assert row["limits"]["workspace"]["country"]["countries"] == {"MA": {"hour": 51, "day": 200}}
    with unchanged(timed.factory.database):
        refresh.run_once()
    timed.set(country=SEED | {"hour": "auto", "day": None})
    answers = [timed.gateway.send(timed.tenant, to=f"{MA[:-2]}{n:02}") for n in range(52)]
    assert [one.status_code for one in answers] == [201] * 51 + [422]
    assert answers[-1].json["details"]["limit"] == 51


@pytest.mark.one_engine
def test_auto_is_right_for_the_first_send_and_on_each_new_day_without_a_worker(
    served: Served, guards: GuardsClient, cipher: Cipher, tmp_path: Path
) -> None:
    """Break: go by the floors where the worker has written nothing, or by a row of yesterday."""
    time = ManualClock(NOON)
    gateway = open_gateway(served.factory.database, cipher, tmp_path, clock=time.clock())
    desk = GuardsClient(gateway, guards.tenant, guards.factory)
    desk.set(country=SEED | {"hour": "auto", "day": None, "countries": {"US": {}}})
    desk.factory.write(guard_autos.delete())
    sent(desk, MA, YESTERDAY, times=17)

    def sends(count: int, to: str = MA) -> list[int]:
        numbers = [f"{to[:-2]}{place:02}" for place in range(count)]
        return [gateway.send(desk.tenant, to=number).status_code for number in numbers]

    assert sends(52) == [201] * 51 + [422]
    sent(desk, MA, NOON + 2 * HOUR, times=40)
    time.at = NOON.replace(hour=0) + DAY + 4 * MINUTE
    assert sends(52)[-1] == 422
    time.advance(60)
    assert sends(52) == [201] * 52
    sent(desk, US_NUMBER, NOON, times=20)
    desk.factory.write(guard_autos.delete())
    assert sends(61, US_NUMBER) == [201] * 60 + [422]


class SlowHistory(GuardHistory):
    """Reads nothing, and of one workspace only when it is let go."""

    def __init__(self, slow: UUID) -> None:
        self.slow, self.is_reading, self.let_go = slow, Event(), Event()

    def hours(self, _: Connection, workspace_id: UUID, __: date) -> list[HourTraffic]:
        if workspace_id == self.slow:
            self.is_reading.set()
            assert self.let_go.wait(PATIENCE_SECONDS)
        return []


@pytest.mark.one_engine
def test_the_traffic_of_one_workspace_holds_up_no_send_of_another(served: Served) -> None:
    """Break: take turns by process."""
    factory = served.factory
    busy, other = (
        factory.tenant(factory.organization(f"Acme {new_id()}")).workspace_id for _ in "12"
    )
    history = SlowHistory(busy)
    fresh_autos = AutosOfSends(factory.database, history)
    facts = GuardFacts("US", Guards(), {}, auto_limits=None, collapse=None)
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(fresh_autos, busy, facts, NOON)
        assert history.is_reading.wait(PATIENCE_SECONDS)
        try:
            found = pool.submit(fresh_autos, other, facts, NOON).result(PATIENCE_SECONDS)
        finally:
            history.let_go.set()
        assert (found.auto_limits, reading.result().auto_limits) != (None, None)


def test_a_use_case_with_its_own_country_guard_has_its_own_auto(timed: GuardsClient) -> None:
    sent(timed, MA, YESTERDAY, times=17)
    own = {"country": SEED | {"hour": "auto", "day": None}}
    timed.set({timed.tenant.use_case_id: own}, country=SEED | {"hour": 1, "day": 1})
    answers = [timed.gateway.send(timed.tenant, to=f"{MA[:-2]}{n:02}") for n in range(52)]
    assert [one.status_code for one in answers] == [201] * 51 + [422]


def test_a_dry_run_replays_the_last_30_days_and_changes_nothing(timed: GuardsClient) -> None:
    """Break: count what would have been refused, and the range trips more often."""
    use_case = str(timed.tenant.use_case_id)
    for minute in range(12):
        sent(timed, MA, YESTERDAY + minute * MINUTE)
    for minute in range(3):
        sent(timed, "+212612345679", YESTERDAY + HOUR + minute * MINUTE)
    sent(timed, MA, YESTERDAY + 3 * HOUR)
    sent(timed, MA, YESTERDAY - 31 * DAY, times=50)
    sent(timed, US_NUMBER, YESTERDAY - 5 * HOUR, times=4, segments=5)
    wanted = {
        "guards": OFF
        | {
            "number": SEED | {"hour": 10, "day": 12},
            "prefix": {"mode": "monitor", "hour": 11, "day": None},
            "workspace": {"mode": "monitor", "minute": 18, "day": None},
        },
        "use_cases": {},
    }
    with unchanged(timed.factory.database):
        answer = timed.ask("PUT", f"{timed.path}?dry_run=true", wanted)
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"0"')
    found = answer.json
    assert (found["dry_run"], found["revision"], found["use_cases"]) == (True, 0, {})
    assert found["guards"]["number"] == {"mode": "enforce", "hour": 10, "day": 12}
    assert found["impact"] == {
        "days": 30,
        "messages": 20,
        "would_trip": [
            {
                "guard": "number",
                "window": "hour",
                "scope": "workspace",
                "mode": "enforce",
                "messages": 2,
                "values": 1,
            },
            {
                "guard": "prefix",
                "window": "hour",
                "scope": "workspace",
                "mode": "monitor",
                "messages": 2,
                "values": 1,
            },
            {
                "guard": "workspace",
                "window": "minute",
                "scope": "workspace",
                "mode": "monitor",
                "messages": 1,
                "values": 1,
            },
        ],
    }
    own = {use_case: {"number": SEED | {"hour": 5, "day": None}}}
    answer = timed.ask("PUT", f"{timed.path}?dry_run=true", {"guards": OFF, "use_cases": own})
    assert [one["scope"] for one in answer.json["impact"]["would_trip"]] == ["use_case"]
    wrong = timed.ask("PUT", f"{timed.path}?dry_run=true", {"guards": {"number": {"hour": 0}}})
    assert wrong.status_code == 422


def test_a_dry_run_reads_the_price_table_once_for_each_day(
    timed: GuardsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `app/guards/manage.py`, call `PriceTable.on` for each message."""
    for days in range(3):
        sent(timed, MA, YESTERDAY - days * DAY, times=4)
    read, on = [], PriceTable.on
    monkeypatch.setattr(PriceTable, "on", lambda table, day: read.append(day) or on(table, day))
    wanted = {"guards": DEFAULTS | {"number": SEED | {"hour": 1, "day": 1}}}
    answer = timed.ask("PUT", f"{timed.path}?dry_run=true", wanted)
    assert answer.json["impact"]["messages"] == 12
    assert read == [(YESTERDAY - days * DAY).date() for days in (2, 1, 0)]


@each(
    "counts, found",
    [
        ([], 0),
        ([7], 7),
        ([1] * 19 + [9], 1),
        ([1] * 18 + [9, 9], 9),
        (list(range(1, 101)), 95),
        ([3, 1, 2], 3),
    ],
)
def test_p95_is_taken_by_nearest_rank(counts: list[int], found: int) -> None:
    assert p95(Counter(counts)) == found


def test_a_suggestion_fits_the_traffic_of_the_last_15_days(timed: GuardsClient) -> None:
    """Break: take the hours in which the guard tripped, too."""
    assert timed.ask("GET", f"{timed.path}/suggestion").json["messages"] == 0
    sent(timed, MA, YESTERDAY, times=5)
    sent(timed, MA, YESTERDAY + HOUR, times=2)
    sent(timed, "+212612345679", YESTERDAY, times=3)
    sent(timed, "+212612000000", YESTERDAY, times=1, segments=120)
    sent(timed, BR_NUMBER, YESTERDAY, times=90)
    sent(timed, US_NUMBER, NOON, times=2)
    sent(timed, US_NUMBER, NOON - 15 * DAY - MINUTE, times=500)
    tripped(timed, "country", "BR", YESTERDAY.replace(minute=0, second=0))
    tripped(timed, "prefix", BR_NUMBER[:-4], YESTERDAY.replace(minute=0, second=0))
    pseudonym = timed.gateway.services.send.open_guarded.pseudonym(BR_NUMBER)
    tripped(timed, "number", pseudonym, YESTERDAY.replace(minute=0, second=0))
    answer = timed.as_role(Role.VIEWER).ask("GET", f"{timed.path}/suggestion")
    assert answer.json == {
        "days": 15,
        "messages": 103,
        "guards": DEFAULTS
        | {
            "number": {"mode": "enforce", "hour": 15, "day": 40},
            "prefix": {"mode": "enforce", "hour": 24, "day": 40},
            "country": {
                "mode": "enforce",
                "hour": 10,
                "day": 40,
                "countries": {"BR": {"hour": 10, "day": 40}, "MA": {"hour": 27, "day": 40}},
            },
            "workspace": {"mode": "monitor", "minute": 654, "day": 10000},
        },
        "use_cases": {},
    }
    assert timed.put({"guards": answer.json["guards"]}).status_code == 200
