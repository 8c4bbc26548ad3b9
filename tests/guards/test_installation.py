"""Alerts about workers and clocks: each opens and clears once, whoever looks and however many."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete

from app.db.heartbeats import beat, record_stop, record_web_clock, web_clocks, worker_heartbeats
from app.guards import watchers
from app.guards.tables import alerts
from app.guards.watchers import WatchInstallation
from app.webhooks.tables import webhook_events
from support.guards import GuardsClient
from support.served import Served
from support.threads import together
from support.time import ManualClock
from support.webhooks import Hooks

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
GONE = {"ago": 3 * MINUTE}


@dataclass
class Desk:
    """Two workspaces of one installation, and its workers."""

    guards: GuardsClient
    other: GuardsClient
    clock: ManualClock

    def watch(self, ahead: timedelta = timedelta(0)) -> WatchInstallation:
        """One process, whose clock may be ahead."""
        at = ManualClock(self.clock.at + ahead)
        return WatchInstallation(self.guards.factory.database, at.clock())

    def workers(self, **of: dict[str, Any]) -> None:
        """Replace all heartbeats; a name is a host, and maybe an underscore and more."""
        with self.guards.factory.database.writing() as c:
            c.execute(delete(worker_heartbeats))
            for place, (worker, given) in enumerate(of.items()):
                values = dict(given)
                at = self.clock.at - values.pop("ago", timedelta(0))
                stops = values.pop("stops", False)
                name = f"{worker.partition('_')[0]}:{place}"
                beat(c, name, at, **values)
                if stops:
                    record_stop(c, name, at)

    def open_alerts(self) -> list[tuple[str, dict[str, Any]]]:
        """What both workspaces see after two looks."""
        for _ in range(2):
            self.watch().run_once()
        found = [_open(one) for one in (self.guards, self.other)]
        assert found[0] == found[1]
        return found[0]

    def signs(self, **of: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        self.workers(**of)
        return self.open_alerts()


def _open(desk: GuardsClient) -> list[tuple[str, dict[str, Any]]]:
    return [(one["kind"], one["details"]) for one in desk.alerts("&state=open")]


@pytest.fixture
def desk(timed: GuardsClient, served: Served, clock: ManualClock) -> Desk:
    with timed.factory.database.writing() as c:
        for table in (worker_heartbeats, web_clocks, alerts):
            c.execute(delete(table))
    return Desk(timed, GuardsClient(timed.gateway, served.tenant, timed.factory), clock)


def workers(count: int, at: str | None, *tasks: str, none_running: bool = False) -> Any:
    details = {"tasks": list(tasks), "silent_workers": count, "last_heartbeat_at": at}
    return [("worker.stuck", details | {"none_running": none_running})]


def test_a_clock_that_differs_and_a_worker_that_is_stuck_open_an_alert_in_each_workspace(
    desk: Desk,
) -> None:
    """Break: take a worker that was stopped, or started again, for one that is stuck."""
    differs = {"skew_seconds": -75}
    assert desk.signs(a={}) == []
    assert desk.signs(a={"skew_seconds": -75}) == [("clock.differs", differs)]
    assert desk.signs(a={"stuck_task": "webhooks"}) == workers(0, None, "webhooks")
    assert desk.signs(a={}, b=GONE) == workers(1, "2026-01-31T11:57:00.000Z")
    for restarted in (
        {"a": {}, "a_2": GONE},
        {"a": {}, "b": GONE | {"stops": True}},
        {"a": {}, "b": {"ago": 61 * MINUTE}},
    ):
        assert desk.signs(**restarted) == []


def test_a_sole_worker_that_is_gone_opens_an_alert_until_one_runs(desk: Desk) -> None:
    """Break: forget the last worker after an hour, or miss one that was stopped for good."""
    at = "2026-01-31T11:57:00.000Z"
    assert desk.signs(a=GONE) == workers(1, at, none_running=True)
    desk.clock.at += timedelta(hours=5)
    assert desk.open_alerts() == workers(1, at, none_running=True)
    assert desk.signs(a={}) == []
    # Stopped in order, as for an upgrade.
    assert desk.signs(a=GONE | {"stops": True}) == []
    assert desk.signs(a={"ago": 9 * MINUTE, "stops": True}) == []
    assert len(desk.signs(a={"ago": 11 * MINUTE, "stops": True})) == 1
    # One that had been replaced before is not missed.
    assert desk.signs(a={"ago": 30 * MINUTE}, a_2=GONE | {"stops": True}) == []
    # An installation that never had a worker is not told: the overview says it.
    assert desk.signs() == []


def test_the_clock_of_a_web_host_that_differs_opens_an_alert_while_it_reports(desk: Desk) -> None:
    """Break: forget a host only when it says that its clock is right again."""
    database = desk.guards.factory.database

    def reports(skew_seconds: int | None) -> None:
        with database.writing() as c:
            record_web_clock(c, "web-1", desk.clock.at, skew_seconds)

    desk.workers(a={"skew_seconds": 61})
    reports(90)
    reports(-120)
    differs = [("clock.differs", {"skew_seconds": -120})]
    assert desk.open_alerts() == differs
    reports(None)
    assert desk.open_alerts() == [("clock.differs", {"skew_seconds": 61})]
    desk.workers(a={})
    assert desk.open_alerts() == []
    reports(75)
    assert len(desk.open_alerts()) == 1
    desk.clock.at += 3 * MINUTE
    assert desk.signs(a={}) == []


def test_many_processes_open_and_clear_an_alert_once(desk: Desk) -> None:
    """Their clocks differ a little. Break: open and clear without the margin."""
    workspace_id = desk.guards.tenant.workspace_id
    hooks = Hooks(desk.guards.factory, desk.clock)
    hooks.endpoint(workspace_id, events=["worker.stuck", "guard.cleared"])
    desk.workers(a={})
    last = desk.clock.at
    for seconds in range(110, 135, 3):
        desk.clock.at = last + seconds * SECOND
        together([desk.watch(place % 3 * SECOND).run_once for place in range(8)])
        for ahead in (2, 0, 1):
            desk.watch(ahead * SECOND).run_once()
    assert len(_open(desk.guards)) == 1
    desk.workers(a={})
    together([partial(desk.watch().run_once) for _ in range(8)])
    assert _open(desk.guards) == []
    events = desk.guards.factory.rows(webhook_events)
    own = [one["type"] for one in events if one["workspace_id"] == workspace_id]
    assert sorted(own) == ["guard.cleared", "worker.stuck"]


def test_a_worker_that_reports_meanwhile_opens_no_alert(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: apply the changes that were found before the lock."""
    find = watchers._find_changes

    def find_then_report(*given: Any) -> Any:
        found = find(*given)
        if any(one.new for one in found):
            monkeypatch.setattr(watchers, "_find_changes", find)
            desk.workers(a={})
        return found

    desk.workers(a=GONE)
    monkeypatch.setattr(watchers, "_find_changes", find_then_report)
    desk.watch().run_once()
    assert watchers._find_changes is find
    assert _open(desk.guards) == []
