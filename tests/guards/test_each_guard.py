"""Each guard that counts, through its life: monitor, dry run, enforce, restart, border, clear."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db.encryption import Cipher
from app.guards.alerts import ClearAlerts
from app.guards.limits import OF_USE_CASES, WINDOWS, GuardName
from support.each import each
from support.factories import open_gateway
from support.guards import OFF, GuardsClient, store_prices
from support.served import Served
from support.time import ManualClock

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MA = "+212612345678"
# The limit of each guard that two messages exceed, and when the first of them counts no more.
LIMITS: dict[GuardName, tuple[dict[str, Any], datetime]] = {
    GuardName.NUMBER: ({"hour": 1, "day": None}, NOON + timedelta(minutes=66)),
    GuardName.PREFIX: ({"hour": 1, "day": None}, NOON + timedelta(minutes=66)),
    GuardName.COUNTRY: ({"hour": 1, "day": None}, NOON + timedelta(minutes=66)),
    GuardName.WORKSPACE: ({"minute": 1, "day": None}, NOON + timedelta(seconds=66)),
    GuardName.SPEND: ({"day": "0.02", "month": None}, NOON + timedelta(hours=12)),
}


@pytest.fixture
def priced(served: Served) -> Any:
    store_prices(served.factory, NOON, MA="0.02")
    yield
    store_prices(served.factory)


def test_every_guard_that_counts_is_here() -> None:
    assert LIMITS.keys() == WINDOWS.keys()


@each("guard", list(LIMITS))
def test_a_guard_through_its_life(
    *, served: Served, cipher: Cipher, tmp_path: Path, priced: None, guard: GuardName
) -> None:
    """Break: let a restart, a dry run or the wrong side of a border change what is counted."""
    limits, border = LIMITS[guard]
    clock = ManualClock(NOON)
    name = f"Acme {guard} {tmp_path.name} {served.factory.now}"
    tenant = served.factory.tenant(
        served.factory.organization(name), destinations={"US": "allowed", "MA": "allowed"}
    )
    desk = restarted = GuardsClient(
        open_gateway(served.factory.database, cipher, tmp_path, clock=clock.clock()),
        tenant,
        served.factory,
    )
    clear = ClearAlerts(served.factory.database, clock.clock())

    def send(through: GuardsClient = desk) -> str:
        answer = through.gateway.send(tenant, to=MA)
        return "sent" if answer.status_code == 201 else answer.json["details"]["guard"]

    def alerts() -> list[tuple[str, str, int]]:
        found = [one["details"] for one in desk.alerts("&state=open")]
        return [(one["guard"], one["mode"], one["hits"]) for one in found]

    desk.set(**{guard: {"mode": "monitor"} | limits})
    assert [send(), send()] == ["sent", "sent"]
    assert alerts() == [(guard, "monitor", 1)]

    wanted = OFF | {guard: {"mode": "enforce"} | limits}
    dry = desk.ask("PUT", f"{desk.path}?dry_run=true", {"guards": wanted}).json
    (trip,) = dry["impact"]["would_trip"]
    assert (trip["guard"], trip["mode"], trip["messages"], trip["values"]) == (
        guard,
        "enforce",
        1,
        1,
    )
    assert send() == "sent"

    desk.set(**{guard: {"mode": "enforce"} | limits})
    assert send() == guard
    assert alerts() == [(guard, "enforce", 3)]

    gateway = open_gateway(served.factory.database, cipher, tmp_path, clock=clock.clock())
    restarted = replace(desk, gateway=gateway)
    clock.at = border - timedelta(milliseconds=1)
    assert send(restarted) == guard
    clock.at = border
    assert [send(restarted), send(restarted)] == ["sent", guard]

    clock.at = border + timedelta(hours=23)
    clear.run_once()
    is_day = guard is GuardName.SPEND
    assert bool(alerts()) == is_day
    clock.at = border + timedelta(hours=24)
    clear.run_once()
    assert alerts() == []

    if guard in OF_USE_CASES:
        own = {"mode": "enforce"} | dict.fromkeys(limits) | {"hour": 2}
        desk.set({tenant.use_case_id: {guard: own}}, **{guard: {"mode": "enforce"} | limits})
        assert [send(), send(), send()] == ["sent", "sent", guard]
        other = replace(tenant, use_case_id=served.factory.use_case(tenant.workspace_id))
        through = [desk.gateway.send(other, to=MA).status_code for _ in range(2)]
        assert through == [201, 422]
