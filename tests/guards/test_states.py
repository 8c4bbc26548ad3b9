"""The state of each guard for the overview: its mode, its alerts, and how near its limit is."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.guards.limits import GuardMode, GuardName, Window
from app.guards.states import Fullness, GuardState, load_guard_states
from app.guards.tables import guard_autos
from support.guards import GuardsClient
from support.time import ManualClock

MA, BR, US = "+212612345678", "+5511961234567", "+12025550123"


def states(desk: GuardsClient, clock: ManualClock) -> dict[GuardName, GuardState]:
    with desk.factory.database.reading() as connection:
        found = load_guard_states(connection, desk.tenant.workspace_id, clock.at)
    assert [one.guard for one in found] == list(GuardName)
    return {one.guard: one for one in found}


def test_a_workspace_that_never_set_guards_has_the_defaults(
    timed: GuardsClient, clock: ManualClock
) -> None:
    found = states(timed, clock)
    assert {name: one.mode for name, one in found.items()} == {
        GuardName.NUMBER: GuardMode.ENFORCE,
        GuardName.PREFIX: GuardMode.MONITOR,
        GuardName.COUNTRY: GuardMode.ENFORCE,
        GuardName.WORKSPACE: GuardMode.MONITOR,
        GuardName.SPEND: GuardMode.OFF,
        GuardName.DELIVERY: GuardMode.MONITOR,
    }
    assert [name for name, one in found.items() if not one.has_limit] == [GuardName.SPEND]
    assert {one.open_alerts for one in found.values()} == {0}


def test_the_count_nearest_to_its_limit_is_shown_and_leaves_with_its_window(
    timed: GuardsClient, clock: ManualClock
) -> None:
    """Break: take the last counter in place of the fullest one."""
    timed.set(
        country={"mode": "enforce", "hour": 10, "day": 5, "countries": {"BR": {"hour": 100}}},
        workspace={"mode": "monitor", "minute": "auto", "day": None},
    )
    for to in (MA, MA, BR, US):
        assert timed.gateway.send(timed.tenant, to=to).status_code == 201
    found = states(timed, clock)
    assert found[GuardName.COUNTRY].fullest == Fullness("MA", Window.DAY, 2, 5)
    assert found[GuardName.WORKSPACE].fullest == Fullness("", Window.MINUTE, 4, 300)
    with timed.factory.database.writing() as connection:
        own = guard_autos.c.workspace_id == timed.tenant.workspace_id
        limits = connection.execute(select(guard_autos.c.limits).where(own)).scalar_one()
        limits["workspace"]["workspace"]["minute"] = 900
        connection.execute(update(guard_autos).where(own).values(limits=limits))
    assert states(timed, clock)[GuardName.WORKSPACE].fullest == Fullness("", Window.MINUTE, 4, 900)
    clock.advance(timedelta(minutes=2).total_seconds())
    found = states(timed, clock)
    assert found[GuardName.WORKSPACE].fullest is None
    assert found[GuardName.COUNTRY].fullest == Fullness("MA", Window.DAY, 2, 5)
    timed.set()
    assert {one.fullest for one in states(timed, clock).values()} == {None}


@pytest.mark.one_engine
def test_open_alerts_are_counted_by_guard_those_of_use_cases_too(
    timed: GuardsClient, clock: ManualClock
) -> None:
    """Break: count cleared alerts too, and a guard stays tripped for ever."""
    own = {timed.tenant.use_case_id: {"number": {"mode": "enforce", "hour": 1, "day": None}}}
    timed.set(own)
    for _ in range(2):
        timed.gateway.send(timed.tenant, to=MA)
    assert states(timed, clock)[GuardName.NUMBER].open_alerts == 1
    timed.set()
    assert states(timed, clock)[GuardName.NUMBER].open_alerts == 0
