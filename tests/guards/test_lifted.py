"""Alerts that a change lifts, and what guards keep no longer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.destinations.tables import provider_checks, provider_permissions
from app.guards.alerts import ClearAlerts
from app.guards.purge import PurgeGuards
from app.guards.tables import alerts, guard_counters, guard_trips
from app.guards.watchers import WatchOthers
from app.kernel.ids import new_id
from app.providers.twilio.geo import TwilioGeoPermissions
from app.webhooks.deliveries import GIVEN_UP
from app.webhooks.tables import webhook_endpoints
from support.factories import BR_NUMBER, US_NUMBER
from support.guards import GuardsClient, store_prices
from support.time import ManualClock
from support.webhooks import HOOK, Hooks

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MA = "+212612345678"
ENFORCE: dict[str, Any] = {"mode": "enforce"}
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def send(guards: GuardsClient, to: str = US_NUMBER) -> int:
    return int(guards.gateway.send(guards.tenant, to=to).status_code)


def open_alerts(guards: GuardsClient) -> list[str]:
    return sorted(
        f"{one['kind']} {one['details'].get('guard', '')} {one['details'].get('window', '')}".strip()
        for one in guards.alerts("&state=open")
    )


@pytest.mark.one_engine
def test_a_limit_above_the_count_clears_its_alert_immediately(guards: GuardsClient) -> None:
    """Break: clear with every change of a limit, and a limit of 2 clears it."""
    guards.set(number=ENFORCE | {"hour": 2, "day": 3})
    assert [send(guards) for _ in range(3)] == [201, 201, 422]
    guards.set(number=ENFORCE | {"hour": 2, "day": 1})
    assert open_alerts(guards) == ["guard.tripped number hour"]
    guards.set(number=ENFORCE | {"hour": 3, "day": 1})
    assert open_alerts(guards) == []
    assert send(guards) == 422
    assert open_alerts(guards) == ["guard.tripped number day"]
    guards.set(number=ENFORCE | {"hour": 3, "day": None})
    assert open_alerts(guards) == []


@pytest.mark.one_engine
def test_an_alert_is_cleared_when_its_guard_is_off_or_no_longer_counts(
    guards: GuardsClient,
) -> None:
    own = {guards.tenant.use_case_id: {"number": ENFORCE | {"hour": 1}}}
    country = ENFORCE | {"countries": {"US": {"hour": 1}}, "hour": 1}
    guards.set(own, country=country)
    assert [send(guards), send(guards)] == [201, 422]
    guards.set(country=country)
    assert open_alerts(guards) == []
    assert [send(guards), send(guards, MA), send(guards, MA)] == [422, 201, 422]
    assert open_alerts(guards) == ["guard.tripped country hour"] * 2
    guards.set(country=ENFORCE | {"hour": 1})
    assert open_alerts(guards) == ["guard.tripped country hour"]
    guards.set()
    assert open_alerts(guards) == []


def test_the_worker_clears_alerts_without_recent_hits(
    timed: GuardsClient, clock: ManualClock
) -> None:
    timed.set(workspace=ENFORCE | {"minute": 1, "day": None})
    assert [send(timed), send(timed)] == [201, 422]
    clear = ClearAlerts(timed.factory.database, clock.clock())
    clock.advance(59)
    clear.run_once()
    assert open_alerts(timed) == ["guard.tripped workspace minute"]
    clock.advance(1)
    clear.run_once()
    assert open_alerts(timed) == []


def test_empty_counters_are_purged(timed: GuardsClient, clock: ManualClock) -> None:
    """Break: purge by the short window, and the hour that goes on is lost."""
    timed.set(number=ENFORCE | {"hour": 1, "day": 2}, workspace=ENFORCE | {"minute": 1})
    assert [send(timed), send(timed, MA)] == [201, 422]
    purge = PurgeGuards(timed.factory.database, clock.clock())

    def kept() -> int:
        with timed.factory.database.reading() as c:
            own = guard_counters.c.scope_id == timed.tenant.workspace_id
            return len(c.execute(select(guard_counters).where(own)).all())

    # The workspaces of other tests are of another time.
    real_time = pytest.MonkeyPatch()
    real_time.setattr("app.guards.purge.require_same_time", lambda _: None)
    clock.at += DAY
    purge()
    assert kept() == 2
    assert send(timed) == 201
    clock.at += 1.1 * DAY
    purge()
    assert kept() == 0
    ClearAlerts(timed.factory.database, clock.clock()).run_once()
    clock.at += 91 * DAY
    purge()
    real_time.undo()
    assert open_alerts(timed) == []
    for table in (alerts, guard_trips):
        assert timed.factory.rows(table, workspace_id=timed.tenant.workspace_id) == []


def test_an_endpoint_that_fails_and_geo_permissions_that_differ_open_an_alert(
    guards: GuardsClient, clock: ManualClock
) -> None:
    own = guards.factory.tenant(
        guards.factory.organization(f"Acme {new_id()}"), destinations={"US": "allowed"}
    )
    guards = GuardsClient(guards.gateway, own, guards.factory)
    endpoint_id = Hooks(guards.factory, clock).endpoint(
        own.workspace_id,
        events=["endpoint.failing"],
        first_failed_at=NOON - 4 * MINUTE,
        last_failed_at=NOON - MINUTE,
    )
    permission = {"account_sid": own.account_sid, "country": "BR", "is_open": True}
    permission |= {"is_high_risk": False, "noted_at": NOON, "noted_by": "check"}
    guards.factory.write(provider_permissions.insert().values(permission))
    watch = WatchOthers(guards.factory.database, clock.clock(), TwilioGeoPermissions.facts)
    watch.run_once()
    assert open_alerts(guards) == []
    guards.factory.write(
        provider_checks.insert().values(account_sid=own.account_sid, checked_at=NOON)
    )
    clock.advance(120)
    watch.run_once()
    watch.run_once()
    assert open_alerts(guards) == ["endpoint.failing", "geo.drift"]
    drift, failing = (one["details"] for one in guards.alerts())
    assert failing == {
        "endpoint_id": str(endpoint_id),
        "url": HOOK,
        "failing_since": "2026-01-31T11:56:00.000Z",
        "active": True,
    }
    assert drift["closed_here_open_there"] == ["BR"]
    with guards.factory.database.writing() as c:
        of_endpoint = update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
        c.execute(of_endpoint.values(active=False, disabled_reason=GIVEN_UP))
        c.execute(provider_permissions.delete())
    watch.run_once()
    assert open_alerts(guards) == ["endpoint.failing"]
    guards.factory.write(of_endpoint.values(disabled_reason=None, first_failed_at=None))
    watch.run_once()
    assert open_alerts(guards) == []


def test_a_spend_limit_counts_the_estimated_price(timed: GuardsClient, clock: ManualClock) -> None:
    store_prices(timed.factory, NOON, US="0.0075", BR="0.02")
    timed.set(spend={"day": "0.04", "month": "0.05"})
    assert timed.get()["guards"]["spend"]["mode"] == "enforce"
    assert [send(timed), send(timed, BR_NUMBER)] == [201, 201]
    answer = timed.gateway.send(timed.tenant, to=MA, message="x" * 200)
    assert answer.json == {
        "code": "GuardTripped",
        "message": "The guard 'spend' refused this message: 0.04 USD per day.",
        "details": {
            "guard": "spend",
            "window": "day",
            "scope": "workspace",
            "limit": "0.04",
            "count": "0.0275",
            "currency": "USD",
            "country": "MA",
            "resets_at": "2026-02-01T00:00:00.000Z",
            "retryable": True,
        },
    }
    assert send(timed) == 201
    clock.at = datetime(2026, 2, 1, tzinfo=UTC)
    assert [send(timed, BR_NUMBER), send(timed, BR_NUMBER), send(timed)] == [201, 201, 422]
    timed.set()
    store_prices(timed.factory)
