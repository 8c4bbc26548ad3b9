"""Endpoints that say goodbye, endpoints that fail for days, and what they cost the others."""

from datetime import timedelta

import pytest

from app.kernel.ids import new_id
from app.webhooks.claims import DeliveryLane, round_robin
from app.webhooks.deliver import DELIVERY_BATCH
from app.webhooks.deliveries import GIVEN_UP, GONE, record_attempt
from app.webhooks.sender import Attempt, DeliveryState, Failure, NotDelivered, Reply
from app.webhooks.tables import webhook_endpoints
from support.factories import Tenant
from support.webhooks import Hooks

pytestmark = pytest.mark.one_engine

DAY = timedelta(days=1)
DEAD = "https://dead.example.com/"
ALIVE = "https://alive.example.com/"


def test_410_disables_immediately_with_a_reason(hooks: Hooks, tenant: Tenant) -> None:
    """Breaks when `is_gone` is not looked at."""
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    other = hooks.endpoint(tenant.workspace_id, url=ALIVE)
    hooks.sender.by_url = {ALIVE: Reply(204)}
    hooks.sender.otherwise = Reply(503)
    hooks.event(tenant.workspace_id)
    hooks.drain()
    hooks.sender.otherwise = Reply(410, "60")
    hooks.event(tenant.workspace_id)
    hooks.drain()
    row = hooks.endpoint_row(endpoint_id)
    assert (row["active"], row["disabled_at"]) == (False, hooks.clock.at)
    assert row["disabled_reason"] == GONE
    assert hooks.audit_trail_of_the_system() == [
        ("webhook_endpoint.disabled", str(endpoint_id), GONE)
    ]
    mine = [one for one in hooks.deliveries() if one["endpoint_id"] == endpoint_id]
    assert [one["state"] for one in mine] == [DeliveryState.STOPPED, DeliveryState.FAILED]
    assert {one["due_at"] for one in mine} == {None}
    assert hooks.endpoint_row(other)["active"]
    posted = len(hooks.sender.posted)
    hooks.event(tenant.workspace_id)
    hooks.clock.advance(10 * 86400)
    hooks.drain()
    assert [one.url for one in hooks.sender.posted[posted:]] == [ALIVE]


def fail_daily(hooks: Hooks, tenant: Tenant, days: int) -> None:
    """One event a day, every attempt of which fails."""
    hooks.sender.otherwise = NotDelivered(Failure.TIMEOUT)
    for _ in range(days):
        hooks.event(tenant.workspace_id)
        hooks.drain()
        hooks.clock.at += DAY
    hooks.event(tenant.workspace_id)


def test_after_five_days_of_failures_alone_an_endpoint_is_disabled(
    hooks: Hooks, tenant: Tenant
) -> None:
    """Breaks when the first failure is forgotten, or the audit row is left out."""
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    start = hooks.clock.at
    fail_daily(hooks, tenant, days=5)
    hooks.move_to(start + 5 * DAY - timedelta(milliseconds=1))
    hooks.drain()
    row = hooks.endpoint_row(endpoint_id)
    assert (row["active"], row["first_failed_at"]) == (True, start)
    hooks.move_to(start + 5 * DAY)
    hooks.event(tenant.workspace_id)
    hooks.drain()
    row = hooks.endpoint_row(endpoint_id)
    assert (row["active"], row["disabled_reason"]) == (False, GIVEN_UP)
    assert row["disabled_at"] == hooks.clock.at
    assert hooks.audit_trail_of_the_system() == [
        ("webhook_endpoint.disabled", str(endpoint_id), GIVEN_UP)
    ]
    assert {one["due_at"] for one in hooks.deliveries()} == {None}


def test_success_in_between_restarts_the_count(hooks: Hooks, tenant: Tenant) -> None:
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    fail_daily(hooks, tenant, days=4)
    hooks.sender.script = [Reply(200)]
    hooks.run()
    hooks.run()
    assert hooks.endpoint_row(endpoint_id)["first_failed_at"] in {None, hooks.clock.at}
    fail_daily(hooks, tenant, days=4)
    hooks.drain()
    assert hooks.endpoint_row(endpoint_id)["active"]
    assert hooks.audit_trail_of_the_system() == []


def test_a_failure_long_ago_does_not_count_towards_the_five_days(
    hooks: Hooks, tenant: Tenant
) -> None:
    """Nothing was sent for a week: two failures with a week between prove no week of failures."""
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    week_ago = hooks.clock.at - timedelta(days=7)
    hooks.factory.set(
        webhook_endpoints, endpoint_id, first_failed_at=week_ago, last_failed_at=week_ago
    )
    hooks.sender.otherwise = Reply(500)
    hooks.event(tenant.workspace_id)
    hooks.drain()
    row = hooks.endpoint_row(endpoint_id)
    assert (row["active"], row["first_failed_at"]) == (True, hooks.clock.at)


def test_internal_error_disables_no_endpoint(hooks: Hooks, tenant: Tenant) -> None:
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.sender.otherwise = RuntimeError()
    for _ in range(7):
        hooks.event(tenant.workspace_id)
        hooks.drain()
        hooks.clock.at += DAY
    assert hooks.endpoint_row(endpoint_id)["active"]


def queue(hooks: Hooks, tenant: Tenant, url: str, events: int, **values: object) -> None:
    """An endpoint of a workspace of its own, with so many events that wait."""
    workspace_id = hooks.factory.tenant(tenant.organization_id, url).workspace_id
    hooks.endpoint(workspace_id, url=url, **values)
    for _ in range(events):
        hooks.event(workspace_id)
    hooks.worker()._fan_out()
    hooks.clock.advance(0.001)


def urls_of_a_claim(
    hooks: Hooks, lane: DeliveryLane = DeliveryLane.EVERY, limit: int = DELIVERY_BATCH
) -> list[str]:
    return sorted(due.url for due in hooks.claim(limit, lane))


def test_every_queue_has_its_turn() -> None:
    a, b, c, d = (new_id() for _ in range(4))
    assert round_robin([[a, b], [c], [d]], 10) == [a, c, d, b]
    assert round_robin([[a, b], [c], [d]], 2) == [a, c]
    assert round_robin([], 10) == []


def test_long_queue_of_one_endpoint_delays_no_other(hooks: Hooks, tenant: Tenant) -> None:
    """Breaks when the oldest are chosen first, whosever they are."""
    queue(hooks, tenant, DEAD, 3 * DELIVERY_BATCH)
    queue(hooks, tenant, ALIVE, 1)
    assert urls_of_a_claim(hooks) == [ALIVE] + [DEAD] * (DELIVERY_BATCH - 1)


def test_one_that_fails_is_tried_with_one_delivery_at_a_time(hooks: Hooks, tenant: Tenant) -> None:
    queue(hooks, tenant, DEAD, 5, first_failed_at=hooks.clock.at, last_failed_at=hooks.clock.at)
    queue(hooks, tenant, ALIVE, 3)
    assert urls_of_a_claim(hooks) == [ALIVE] * 3 + [DEAD]


def test_those_that_fail_take_turns_however_long_their_queues(hooks: Hooks, tenant: Tenant) -> None:
    """Breaks when the oldest delivery goes first: then the same ones are tried for ever."""
    start = hooks.clock.at
    for place in range(4):
        failed = {"first_failed_at": start, "last_failed_at": start - timedelta(seconds=9 - place)}
        queue(hooks, tenant, f"https://{place}.example.com/", 3, **failed)
    hooks.sender.otherwise = Reply(500)
    tried = []
    for _ in range(4):
        hooks.clock.advance(0.5)
        (due,) = hooks.claim(1, DeliveryLane.FAILING)
        with hooks.factory.database.writing() as c:
            record_attempt(c, due, Attempt(hooks.clock.at, 1, 500), hooks.clock.at, 0.5)
        tried.append(due.url)
    assert tried == [f"https://{place}.example.com/" for place in range(4)]


def test_each_lane_claims_its_own_deliveries(hooks: Hooks, tenant: Tenant) -> None:
    queue(hooks, tenant, DEAD, 5, first_failed_at=hooks.clock.at, last_failed_at=hooks.clock.at)
    queue(hooks, tenant, ALIVE, 3)
    assert urls_of_a_claim(hooks, DeliveryLane.HEALTHY) == [ALIVE] * 3
    assert urls_of_a_claim(hooks, DeliveryLane.FAILING) == [DEAD]


@pytest.mark.both_engines
def test_between_two_lanes_nothing_is_left(hooks: Hooks, tenant: Tenant) -> None:
    """An endpoint that fails changes to the other lane, and comes back with its first success."""
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.sender.script = [Reply(500)]
    for _ in range(3):
        hooks.event(tenant.workspace_id)
    assert hooks.run(DeliveryLane.FAILING) == 0
    assert hooks.run(DeliveryLane.HEALTHY) == 3 + 3
    assert hooks.run(DeliveryLane.HEALTHY) == 0
    assert hooks.endpoint_row(endpoint_id)["first_failed_at"] in {None, hooks.clock.at}
    hooks.clock.advance(5)
    assert hooks.run(DeliveryLane.FAILING) + hooks.run(DeliveryLane.HEALTHY) == 1
    assert {row["state"] for row in hooks.deliveries()} == {DeliveryState.DELIVERED}
    assert hooks.endpoint_row(endpoint_id)["first_failed_at"] is None
