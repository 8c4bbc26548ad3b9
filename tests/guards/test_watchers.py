"""Alerts about refusals: each opens once and clears by itself."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from app.destinations.policy.evaluate import Source
from app.destinations.tables import refusal_counts, refusals
from app.guards.watchers import WatchOthers
from app.providers.twilio.geo import TwilioGeoPermissions
from app.webhooks.tables import webhook_events
from support.guards import GuardsClient
from support.time import ManualClock
from support.traffic import id_at
from support.webhooks import Hooks

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def desk(timed: GuardsClient) -> GuardsClient:
    return timed


@pytest.fixture
def watch(desk: GuardsClient, clock: ManualClock) -> WatchOthers:
    return WatchOthers(desk.factory.database, clock.clock(), TwilioGeoPermissions.facts)


def refused(desk: GuardsClient, at: datetime, count: int, code: str = "DestinationBlocked") -> None:
    row = {
        "workspace_id": desk.tenant.workspace_id,
        "at": at,
        "code": code,
        "source": Source.POLICY,
        "masked_number": "+44*******56",
        "segments": 1,
    }
    with desk.factory.database.writing() as c:
        c.execute(insert(refusals), [row | {"id": id_at(at)} for _ in range(count)])


def usual(desk: GuardsClient, day: datetime, count: int) -> None:
    desk.factory.write(
        insert(refusal_counts).values(
            workspace_id=desk.tenant.workspace_id,
            day=day.date(),
            country="GB",
            code="DestinationBlocked",
            source=Source.POLICY,
            refusals=count,
            unlisted=0,
        )
    )


def test_far_more_refusals_than_usual_open_an_alert(
    desk: GuardsClient, watch: WatchOthers, clock: ManualClock
) -> None:
    """Break: count what guards refuse, clear at the limit, or leave the usual out."""
    hooks = Hooks(desk.factory, clock)
    hooks.endpoint(desk.tenant.workspace_id, events=["refusals.spiked", "guard.cleared"])
    refused(desk, NOON - MINUTE, 500, "GuardTripped")
    refused(desk, NOON - MINUTE, 40)
    refused(desk, NOON - MINUTE, 10, "Forbidden")
    refused(desk, NOON - 11 * MINUTE, 500)
    watch.run_once()
    assert desk.alerts("&state=open") == []
    refused(desk, NOON, 1, "Forbidden")
    watch.run_once()
    watch.run_once()
    (alert,) = desk.alerts("&state=open")
    assert (alert["kind"], alert["details"]) == (
        "refusals.spiked",
        {
            "refusals": 51,
            "usual": 0,
            "minutes": 10,
            "codes": {"DestinationBlocked": 40, "Forbidden": 11},
        },
    )
    assert desk.ask("POST", f"/v1/alerts/{alert['id']}/acknowledge").status_code == 200
    clock.at = NOON + 9.5 * MINUTE
    refused(desk, clock.at, 30)
    watch.run_once()
    assert len(desk.alerts("&state=open")) == 1
    clock.at = NOON + 21 * MINUTE
    watch.run_once()
    (alert,) = desk.alerts()
    assert alert["cleared_at"] == "2026-01-31T12:21:00.000Z"
    rows = desk.factory.rows(webhook_events)
    own = [row["type"] for row in rows if row["workspace_id"] == desk.tenant.workspace_id]
    assert sorted(own) == ["guard.cleared", "refusals.spiked"]
    # 9 in ten minutes are usual: 90 are no spike.
    usual(desk, NOON - DAY, 15 * 144 * 8 + 1)
    refused(desk, clock.at, 90)
    watch.run_once()
    assert desk.alerts("&state=open") == []
    refused(desk, clock.at, 1)
    watch.run_once()
    assert desk.alerts("&state=open")[0]["details"]["usual"] == 9
