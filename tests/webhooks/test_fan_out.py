"""From the outbox to deliveries: to whom, and each event once."""

from datetime import timedelta

from app.db.engine import Database
from app.webhooks.deliver import FAN_OUT_BATCH, fan_out
from app.webhooks.outbox import EventType
from app.webhooks.sender import DeliveryState
from app.webhooks.tables import webhook_endpoints
from support.factories import Tenant
from support.threads import together
from support.webhooks import Hooks


def _fan_out(hooks: Hooks) -> int:
    with hooks.factory.database.writing() as c:
        return fan_out(c, hooks.clock.at)


def _reached(hooks: Hooks) -> set[object]:
    return {row["endpoint_id"] for row in hooks.deliveries()}


def test_each_endpoint_that_wants_the_event_gets_a_delivery(hooks: Hooks, tenant: Tenant) -> None:
    sibling = hooks.factory.tenant(tenant.organization_id, "Sibling")
    wanting = {hooks.endpoint(tenant.workspace_id) for _ in range(2)}
    wanting.add(hooks.endpoint(tenant.workspace_id, events=["sms.delivered"]))
    hooks.endpoint(tenant.workspace_id, events=["sms.sent", "sms.failed"])
    hooks.endpoint(tenant.workspace_id, active=False)
    hooks.endpoint(sibling.workspace_id)
    hooks.event(tenant.workspace_id, EventType.SMS_DELIVERED)
    assert _fan_out(hooks) == 1
    assert _reached(hooks) == wanting
    assert {(row["state"], row["attempts"], row["due_at"]) for row in hooks.deliveries()} == {
        (DeliveryState.PENDING, 0, hooks.clock.at)
    }


def test_an_endpoint_does_not_get_what_was_before_it(hooks: Hooks, tenant: Tenant) -> None:
    first = hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)
    hooks.clock.advance(0.001)
    hooks.endpoint(tenant.workspace_id)
    _fan_out(hooks)
    assert _reached(hooks) == {first}


def test_an_event_is_fanned_out_once(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)
    assert (_fan_out(hooks), _fan_out(hooks)) == (1, 0)
    assert len(hooks.deliveries()) == 1
    assert hooks.events()[0]["fanned_out_at"] == hooks.clock.at


def test_event_without_subscribers_is_finished(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id, events=["destination.drift"])
    hooks.event(tenant.workspace_id)
    assert (_fan_out(hooks), _fan_out(hooks)) == (1, 0)
    assert hooks.deliveries() == []


def test_endpoint_disabled_before_the_fan_out_gets_nothing(hooks: Hooks, tenant: Tenant) -> None:
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)
    hooks.factory.set(webhook_endpoints, endpoint_id, active=False)
    _fan_out(hooks)
    assert hooks.deliveries() == []


def test_long_queue_is_processed_in_batches(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    for _ in range(3):
        hooks.event(tenant.workspace_id)
    assert FAN_OUT_BATCH >= 3
    assert _fan_out(hooks) == 3


def test_concurrent_workers_create_no_delivery_twice(hooks: Hooks, tenant: Tenant) -> None:
    """Breaks on PostgreSQL without `with_for_update`."""
    hooks.endpoint(tenant.workspace_id)
    for _ in range(40):
        hooks.event(tenant.workspace_id)
        hooks.clock.at += timedelta(milliseconds=1)
    other = Database(
        hooks.factory.database.engine.url.render_as_string(hide_password=False), pool_size=2
    )

    def take(database: Database) -> int:
        with database.writing() as c:
            return fan_out(c, hooks.clock.at)

    took = together([lambda: take(hooks.factory.database), lambda: take(other)])
    other.close()
    assert sum(took) == 40
    assert len(hooks.deliveries()) == 40
    assert len({row["event_id"] for row in hooks.deliveries()}) == 40
