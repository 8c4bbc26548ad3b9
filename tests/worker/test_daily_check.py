"""Drift is reported without a restart: one worker a day compares and reports differences."""

import pytest
import structlog

from app.access.principal import Role
from app.destinations.geo_permissions.check import CheckProvider
from app.providers.port import ProviderUnknown
from app.webhooks.tables import webhook_events
from app.worker.housekeeping import CHECK_LEASE, EVERY, DailyCheck
from support.factories import ACCOUNT, Factory, Gateway, Tenant
from support.geo import FakeGeo, permits, store
from support.threads import together
from support.time import ManualClock


@pytest.fixture
def geo(factory: Factory, tenant: Tenant) -> FakeGeo:
    """The provider agrees, and that is known."""
    store(factory.database, US=True)
    return FakeGeo({ACCOUNT: permits(US=True)})


@pytest.fixture
def daily(factory: Factory, geo: FakeGeo, clock: ManualClock) -> DailyCheck:
    """The task of a worker that has run for a day."""
    check = CheckProvider(factory.database, geo, clock.clock())
    found = DailyCheck(factory.database, clock.clock(), check)
    assert found.run_once() == 0
    assert geo.target == []
    clock.at += EVERY
    return found


def test_it_is_repeated_daily_however_often_the_task_looks(
    daily: DailyCheck, geo: FakeGeo, clock: ManualClock
) -> None:
    for times in (1, 2, 3):
        for _ in range(9):
            assert daily.run_once() == 0
            assert len(geo.target) == times
            clock.advance(600)
        clock.at += EVERY


@pytest.fixture
def endpoint(gateway: Gateway, tenant: Tenant) -> None:
    """The workspace has an endpoint for drift."""
    body = {"url": "https://hooks.example.com/geo", "events": ["destination.drift"]}
    gateway.post("/v1/webhook-endpoints", body, key=tenant.keys[Role.ADMIN])


@pytest.mark.usefixtures("endpoint")
def test_drift_is_logged_and_sent_to_the_customer(
    daily: DailyCheck, geo: FakeGeo, factory: Factory, tenant: Tenant
) -> None:
    geo.permits[ACCOUNT] = permits(US=False)
    with structlog.testing.capture_logs() as lines:
        daily.run_once()
    (line,) = lines
    assert (line["event"], line["allowed_here_closed_there"]) == ("geo_permissions_differ", ["US"])
    (event_row,) = factory.rows(webhook_events)
    assert (event_row["type"], event_row["workspace_id"]) == (
        "destination.drift",
        tenant.workspace_id,
    )


@pytest.mark.usefixtures("endpoint")
def test_unchanged_drift_is_sent_to_the_customer_once(
    daily: DailyCheck, geo: FakeGeo, factory: Factory, clock: ManualClock
) -> None:
    geo.permits[ACCOUNT] = permits(US=False)
    for _ in range(3):
        daily.run_once()
        clock.at += EVERY
    assert len(geo.target) == 3
    assert len(factory.rows(webhook_events)) == 1


def test_a_provider_that_cannot_be_asked_is_a_line_in_the_log(
    daily: DailyCheck, geo: FakeGeo
) -> None:
    geo.permits[ACCOUNT] = ProviderUnknown("Twilio did not answer")
    with structlog.testing.capture_logs() as lines:
        daily.run_once()
    assert [line["event"] for line in lines] == ["geo_permissions_unknown"]


def test_one_of_concurrent_workers_checks(daily: DailyCheck, geo: FakeGeo) -> None:
    together([daily.run_once] * 6)
    assert geo.target == [ACCOUNT]


def test_the_check_of_a_worker_that_died_is_done_by_another(
    daily: DailyCheck, geo: FakeGeo, clock: ManualClock
) -> None:
    def die() -> None:
        raise SystemExit

    geo.during = die
    with pytest.raises(SystemExit):
        daily.run_once()
    geo.during = lambda: None
    daily.run_once()
    assert len(geo.target) == 1
    clock.at += CHECK_LEASE
    daily.run_once()
    assert len(geo.target) == 2
