"""What became of events, and sending one once more, through HTTP."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.access.tables import audit_events
from app.db.encryption import Cipher
from app.kernel.clock import rfc3339
from app.webhooks.outbox import EventType
from app.webhooks.sender import Failure, NotDelivered, Reply
from app.webhooks.tables import webhook_endpoints
from support.factories import US_NUMBER, Gateway, Tenant, open_gateway
from support.webhooks import Hooks

pytestmark = pytest.mark.one_engine


@pytest.fixture
def gateway(hooks: Hooks, cipher: Cipher, tmp_path: Path) -> Gateway:
    """The API over the same database, by the same clock."""
    return open_gateway(hooks.factory.database, cipher, tmp_path, clock=hooks.clock.clock())


def listed(gateway: Gateway, tenant: Tenant, endpoint_id: UUID, query: str = "") -> Any:
    path = f"/v1/webhook-endpoints/{endpoint_id}/deliveries{query}"
    answer = gateway.get(path, key=tenant.keys[Role.VIEWER])
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def replay(gateway: Gateway, tenant: Tenant, delivery_id: Any) -> Any:
    path = f"/v1/webhook-deliveries/{delivery_id}/replay"
    return gateway.post(path, key=tenant.keys[Role.ADMIN])


def test_each_attempt_is_shown(hooks: Hooks, gateway: Gateway, tenant: Tenant) -> None:
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.sender.script = [Reply(500), NotDelivered(Failure.TIMEOUT)]
    hooks.event(tenant.workspace_id, EventType.SMS_FAILED, to_number=US_NUMBER)
    start = hooks.clock.at
    hooks.drain()
    hooks.clock.advance(5)
    hooks.drain()
    (shown,) = listed(gateway, tenant, endpoint_id)["items"]
    attempts = shown.pop("attempts")
    delivery = hooks.delivery()
    assert shown == {
        "id": str(delivery["id"]),
        "endpoint_id": str(endpoint_id),
        "event_id": str(hooks.events()[0]["id"]),
        "type": "sms.failed",
        "state": "pending",
        "next_attempt_at": rfc3339(delivery["due_at"]),
        "created_at": rfc3339(start),
    }
    milliseconds = [attempt.pop("milliseconds") for attempt in attempts]
    assert all(isinstance(one, int) and one >= 0 for one in milliseconds)
    assert attempts == [
        {"at": rfc3339(start), "status": 500, "failure": None},
        {"at": rfc3339(hooks.clock.at), "status": None, "failure": "timeout"},
    ]
    hooks.clock.advance(300)
    hooks.drain()
    (shown,) = listed(gateway, tenant, endpoint_id)["items"]
    assert (shown["state"], shown["next_attempt_at"]) == ("delivered", None)
    assert [attempt["status"] for attempt in shown["attempts"]] == [500, None, 204]


@pytest.mark.both_engines
def test_the_list_goes_page_by_page_and_by_state(
    hooks: Hooks, gateway: Gateway, tenant: Tenant
) -> None:
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.endpoint(tenant.workspace_id, url="https://other.example.com/")
    for _ in range(5):
        hooks.event(tenant.workspace_id)
    hooks.worker()._fan_out()
    mine = [row for row in hooks.deliveries() if row["endpoint_id"] == endpoint_id]
    first = listed(gateway, tenant, endpoint_id, "?limit=3")
    token = first["next_page_token"]
    second = listed(gateway, tenant, endpoint_id, f"?limit=3&page_token={token}")
    seen = [item["id"] for item in first["items"] + second["items"]]
    assert seen == [str(row["id"]) for row in reversed(mine)]
    assert second["next_page_token"] is None
    assert len(listed(gateway, tenant, endpoint_id, "?state=pending")["items"]) == 5
    assert listed(gateway, tenant, endpoint_id, "?state=failed")["items"] == []
    wrong = gateway.get(
        f"/v1/webhook-endpoints/{endpoint_id}/deliveries?state=lost", key=tenant.keys[Role.VIEWER]
    )
    assert wrong.get_json()["details"].keys() == {"$.state"}


def test_a_replay_sends_the_same_event_again_under_the_same_id(
    hooks: Hooks, gateway: Gateway, tenant: Tenant
) -> None:
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)
    hooks.drain()
    old = hooks.delivery()
    hooks.clock.advance(3600)
    answer = replay(gateway, tenant, old["id"])
    assert answer.status_code == 201
    made = answer.get_json()
    assert made["id"] != str(old["id"])
    assert (made["state"], made["attempts"]) == ("pending", [])
    assert made["next_attempt_at"] == rfc3339(hooks.clock.at)
    hooks.drain()
    first, second = hooks.sender.posted
    assert (first.event_id, first.body) == (second.event_id, second.body)
    states = [item["state"] for item in listed(gateway, tenant, endpoint_id)["items"]]
    assert states == ["delivered", "delivered"]
    actions = [
        row for row in hooks.factory.rows(audit_events) if row["action"].startswith("webhook_deliv")
    ]
    assert [(row["action"], row["target"]) for row in actions] == [
        ("webhook_delivery.replayed", str(old["id"]))
    ]


def test_a_replay_has_the_whole_schedule_before_it(
    hooks: Hooks, gateway: Gateway, tenant: Tenant
) -> None:
    hooks.endpoint(tenant.workspace_id)
    hooks.sender.otherwise = Reply(500)
    hooks.event(tenant.workspace_id)
    for _ in range(12):
        hooks.drain()
        hooks.clock.advance(86400 * 0.2)
    hooks.drain()
    old = hooks.deliveries()[0]
    replay(gateway, tenant, old["id"])
    hooks.drain()
    assert hooks.deliveries()[-1]["attempts"] == 1


def test_nothing_is_replayed_to_a_disabled_endpoint(
    hooks: Hooks, gateway: Gateway, tenant: Tenant
) -> None:
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)
    hooks.drain()
    hooks.factory.set(webhook_endpoints, endpoint_id, active=False)
    answer = replay(gateway, tenant, hooks.delivery()["id"])
    assert (answer.status_code, answer.get_json()["details"]) == (
        422,
        {"$": ["The endpoint is disabled: enable it first."]},
    )
    assert len(hooks.deliveries()) == 1


def test_listed_deliveries_contain_no_number(
    hooks: Hooks, gateway: Gateway, tenant: Tenant
) -> None:
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id, to_number=US_NUMBER)
    hooks.drain()
    assert US_NUMBER not in str(listed(gateway, tenant, endpoint_id))
