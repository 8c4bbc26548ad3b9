"""The pages of webhooks: health, secrets shown once, deliveries with their attempts, replay."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook

from app.console.webhooks import EVENTS, FAILURES, STATES
from app.web.registry import register_service
from app.webhooks.deliver import _TESTS, SendTestEvent
from app.webhooks.endpoints import secret_owner
from app.webhooks.outbox import EventType
from app.webhooks.sender import DeliveryState, Failure, NotDelivered, Reply
from app.webhooks.tables import webhook_deliveries, webhook_endpoints
from support.console import Console, audit_events_of_pages
from support.factories import Factory, Gateway, Tenant
from support.time import ManualClock
from support.webhooks import HOOK, FakeSender, Hooks

pytestmark = pytest.mark.one_engine

PATH = "/console/webhooks"
_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")


@pytest.fixture
def hooks(factory: Factory, tenant: Tenant) -> Hooks:
    """The worker that delivers."""
    return Hooks(factory, ManualClock())


@pytest.fixture
def endpoint_id(hooks: Hooks, tenant: Tenant) -> UUID:
    """An endpoint of the tenant's that wants everything."""
    return hooks.endpoint(tenant.workspace_id)


@pytest.fixture
def path(endpoint_id: UUID) -> str:
    """Its page."""
    return f"{PATH}/{endpoint_id}"


def audit_trail(factory: Factory) -> list[str]:
    return [action for action, _ in audit_events_of_pages(factory)]


def only_row(factory: Factory) -> dict[str, Any]:
    (row,) = factory.rows(webhook_endpoints)
    return row


def test_every_word_of_webhooks_is_explained() -> None:
    assert (set(EVENTS), set(STATES), set(FAILURES)) == (
        set(EventType),
        set(DeliveryState),
        set(Failure),
    )


def test_an_admin_makes_an_endpoint_and_sees_its_secret_once(
    console: Console, factory: Factory
) -> None:
    assert "No endpoints yet" in console.get(PATH).text
    form = {"url": HOOK, "events": ["sms.failed", "sms.delivered"]}
    answer = console.post(PATH, form)
    (secret,) = _SECRET.findall(answer.text)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert 'data-copies="secret"' in answer.text
    row = only_row(factory)
    assert (row["url"], row["events"]) == (HOOK, ["sms.delivered", "sms.failed"])
    assert secret not in row["secret"]
    for page in (console.get(PATH).text, console.get(f"{PATH}/{row['id']}").text):
        assert "whsec_" not in page
    assert audit_trail(factory) == ["webhook_endpoint.created"]


def test_problems_are_shown_at_their_field_and_selections_are_kept(
    console: Console, factory: Factory
) -> None:
    answer = console.post(PATH, {"url": "https://10.0.0.1/x", "events": ["sms.sent", "sms.failed"]})
    assert (answer.status_code, 'id="url-problem"' in answer.text) == (422, True)
    assert answer.text.count(" checked") == 2
    none = console.post(PATH, {"url": HOOK})
    assert (none.status_code, 'id="events-problem"' in none.text) == (422, True)
    assert f'value="{HOOK}"' in none.text
    assert factory.rows(webhook_endpoints) == []


def test_the_list_shows_the_health_of_each(
    console: Console, factory: Factory, hooks: Hooks, endpoint_id: UUID, tenant: Tenant
) -> None:
    page = console.get(PATH).text
    assert ("status-active" in page, ">never<" in page) == (True, True)
    hooks.event(tenant.workspace_id)
    hooks.sender.script = [Reply(204), Reply(500), Reply(410)]
    hooks.drain()
    taken_at = hooks.attempts()[0]["at"]
    page = console.get(PATH).text
    assert taken_at.strftime("%Y-%m-%d %H:%M:%S UTC") in page
    hooks.event(tenant.workspace_id)
    hooks.drain()
    assert "status-failing" in console.get(PATH).text
    hooks.move_to(hooks.clock.at + timedelta(minutes=1))
    hooks.drain()
    page = console.get(f"{PATH}/{endpoint_id}").text
    assert "status-disabled" in page
    assert "The receiver answered 410 Gone." in page
    assert taken_at.strftime("%Y-%m-%d %H:%M:%S UTC") in page
    assert ">Enable<" in page


def test_each_attempt_is_shown_with_its_status_or_failure(
    console: Console, hooks: Hooks, tenant: Tenant, path: str
) -> None:
    assert "No deliveries yet" in console.get(path).text
    hooks.event(tenant.workspace_id)
    hooks.sender.script = [NotDelivered(Failure.TLS), Reply(503)]
    hooks.drain()
    hooks.move_to(hooks.clock.at + timedelta(minutes=1))
    hooks.drain()
    page = console.get(path).text
    assert "TLS failed, check the certificate" in page
    assert "answered 503" in page
    assert "next attempt" in page
    assert str(hooks.events()[0]["id"]) in page
    assert "No results" in console.get(f"{path}?state=delivered").text
    assert "answered 503" in console.get(f"{path}?state=pending").text


def test_a_delivery_is_sent_once_more_by_hand(
    console: Console, factory: Factory, hooks: Hooks, tenant: Tenant, path: str
) -> None:
    hooks.event(tenant.workspace_id)
    hooks.drain()
    replay = f"{path}/deliveries/{hooks.delivery()['id']}/replay"
    assert console.post(replay, on=path).headers["Location"] == path
    hooks.move_to(factory.now + timedelta(minutes=1))
    hooks.drain()
    assert len({posted.event_id for posted in hooks.sender.posted}) == 1
    assert len(hooks.sender.posted) == 2
    assert audit_trail(factory) == ["webhook_delivery.replayed"]
    console.post(f"{path}/switch", {"active": "false"}, on=path)
    refused = console.post(replay, on=path)
    assert refused.status_code == 422
    assert "The endpoint is disabled: enable it first." in refused.text
    assert len(factory.rows(webhook_deliveries)) == 2


def test_an_endpoint_is_changed_switched_and_deleted(
    console: Console, factory: Factory, path: str
) -> None:
    form = {"url": HOOK + "/2", "events": ["sms.sent"]}
    assert console.post(path, form).status_code == 303
    assert (only_row(factory)["url"], only_row(factory)["events"]) == (HOOK + "/2", ["sms.sent"])
    assert console.post(path, {"url": "ftp://x", "events": ["sms.sent"]}).status_code == 422
    console.post(f"{path}/switch", {"active": "false"}, on=path)
    assert not only_row(factory)["active"]
    assert "Disabled by hand." in console.get(path).text
    assert f'href="{path}"' in console.get("/console/audit").text
    console.post(f"{path}/switch", {"active": "true"}, on=path)
    assert only_row(factory)["active"]
    assert console.post(f"{path}/delete", on=path).headers["Location"] == PATH
    assert factory.rows(webhook_endpoints) == []
    verbs = [action.partition(".")[2] for action in audit_trail(factory)]
    assert verbs == ["changed", "disabled", "enabled", "deleted"]


def test_a_switch_without_a_target_state_changes_nothing(
    console: Console, factory: Factory, path: str
) -> None:
    answer = console.post(f"{path}/switch", {"active": "perhaps"}, on=path)
    assert answer.status_code == 422
    assert only_row(factory)["active"]
    assert audit_trail(factory) == []


def test_a_rotated_secret_is_shown_once_and_the_one_before_signs_for_a_day(
    console: Console, factory: Factory, path: str
) -> None:
    before = only_row(factory)["secret"]
    answer = console.post(f"{path}/rotate", on=path)
    assert len(_SECRET.findall(answer.text)) == 1
    assert "The previous secret also signs until" in answer.text
    assert only_row(factory)["previous_secret"] == before
    page = console.get(path).text
    assert ("whsec_" in page, "Two secrets sign events until" in page) == (False, True)
    assert audit_trail(factory) == ["webhook_endpoint.secret_rotated"]


def test_a_test_event_is_signed_and_its_answer_is_shown(
    gateway: Gateway, console: Console, factory: Factory, path: str
) -> None:
    """Break: sign with another secret, or store a delivery."""
    sender = FakeSender([Reply(204), NotDelivered(Failure.TIMEOUT)])
    clock = gateway.services.clock
    operation = SendTestEvent(factory.database, factory.cipher, clock, sender)
    register_service(gateway.client.application, operation)
    assert "Accepted: answered 204" in console.post(f"{path}/test", on=path).text
    assert "Not accepted: timeout" in console.post(f"{path}/test", on=path).text
    row = only_row(factory)
    secret = factory.cipher.decrypt(secret_owner(row["id"]), row["secret"])
    for posted in sender.posted:
        assert Webhook(secret).verify(posted.body, posted.headers)["type"] == "webhook.test"
    assert factory.rows(webhook_deliveries) == []


def test_few_endpoints_are_tested_at_once(console: Console, path: str) -> None:
    """Break: leave out `_TESTS.slot`. Receivers that do not answer would then take all threads."""
    with _TESTS.slot(), _TESTS.slot():
        answer = console.post(f"{path}/test", on=path)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
