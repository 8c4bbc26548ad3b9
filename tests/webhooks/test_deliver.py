"""Delivering under a clock that the test moves: bodies, signatures, outcomes, and who is to blame."""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from freezegun import freeze_time
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.clock import rfc3339
from app.kernel.errors import ServiceUnavailable
from app.webhooks import deliver
from app.webhooks.endpoints import mint_secret, secret_owner
from app.webhooks.outbox import EventType
from app.webhooks.sender import DeliveryState, Failure, NotDelivered, Reply
from app.webhooks.tables import webhook_endpoints
from support.factories import US_NUMBER, Factory, Tenant
from support.time import ManualClock
from support.webhooks import HOOK, Hooks, body_of

pytestmark = pytest.mark.one_engine

TIMEOUT = NotDelivered(Failure.TIMEOUT)


def encrypted(hooks: Hooks, endpoint_id: UUID, secret: str) -> str:
    return hooks.factory.cipher.encrypt(secret_owner(endpoint_id), secret)


def with_secret(hooks: Hooks, tenant: Tenant) -> tuple[UUID, str]:
    endpoint_id, secret = hooks.endpoint(tenant.workspace_id), mint_secret()
    hooks.factory.set(webhook_endpoints, endpoint_id, secret=encrypted(hooks, endpoint_id, secret))
    return endpoint_id, secret


@pytest.mark.both_engines
def test_an_event_is_posted_once_in_its_envelope(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id, EventType.SMS_SENT, id="1")
    happened_at = hooks.clock.at
    hooks.clock.advance(1)
    hooks.drain()
    (posted,) = hooks.sender.posted
    assert posted.url == HOOK
    assert body_of(posted) == {
        "type": "sms.sent",
        "timestamp": rfc3339(happened_at),
        "data": {"id": "1"},
    }
    assert posted.event_id == hooks.events()[0]["id"]
    assert posted.headers["Content-Type"] == "application/json"
    assert posted.headers["User-Agent"].startswith("Borderpost/")
    delivery = hooks.delivery()
    assert (delivery["state"], delivery["due_at"]) == (DeliveryState.DELIVERED, None)
    assert delivery["attempts"] == 1
    (attempt,) = hooks.attempts()
    assert (attempt["status"], attempt["failure"], attempt["at"]) == (204, None, hooks.clock.at)


def test_a_receiver_can_check_the_signature_with_the_library(hooks: Hooks, tenant: Tenant) -> None:
    _, secret = with_secret(hooks, tenant)
    hooks.event(tenant.workspace_id, text='\u00fc \\ "')
    hooks.drain()
    (posted,) = hooks.sender.posted
    with freeze_time(hooks.clock.at):
        assert Webhook(secret).verify(posted.body, posted.headers) == json.loads(posted.body)


def test_the_signature_is_the_specifications(hooks: Hooks, tenant: Tenant) -> None:
    _, secret = with_secret(hooks, tenant)
    hooks.event(tenant.workspace_id)
    hooks.clock.advance(0.9)
    hooks.drain()
    (posted,) = hooks.sender.posted
    second = str(int(hooks.clock.at.timestamp()))
    signed = f"{posted.headers['webhook-id']}.{second}.{posted.body}".encode()
    key = b64decode(secret.removeprefix("whsec_"))
    assert 24 <= len(key) <= 64
    expected = b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert posted.headers["webhook-timestamp"] == second
    assert posted.headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.both_engines
def test_while_two_secrets_live_both_sign(hooks: Hooks, tenant: Tenant) -> None:
    """Breaks when `_live_secrets` gives one only, or forgets the end of the older one."""
    endpoint_id, secret = with_secret(hooks, tenant)
    older, until = mint_secret(), hooks.clock.at + timedelta(hours=24)
    hooks.factory.set(
        webhook_endpoints,
        endpoint_id,
        previous_secret=encrypted(hooks, endpoint_id, older),
        previous_secret_until=until,
    )
    for at in (until - timedelta(milliseconds=1), until):
        hooks.move_to(at)
        hooks.event(tenant.workspace_id)
        hooks.drain()
    both, one = hooks.sender.posted
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    assert len(one.headers["webhook-signature"].split(" ")) == 1
    with freeze_time(until):
        for live in (secret, older):
            Webhook(live).verify(both.body, both.headers)
        Webhook(secret).verify(one.body, one.headers)


def test_every_attempt_sends_the_same_bytes_under_the_same_id(hooks: Hooks, tenant: Tenant) -> None:
    with_secret(hooks, tenant)
    hooks.event(tenant.workspace_id, number=US_NUMBER)
    hooks.sender.script = [TIMEOUT, Reply(500)]
    for _ in range(3):
        hooks.drain()
        hooks.clock.advance(3600)
    assert len(hooks.sender.posted) == 3
    assert len({posted.body for posted in hooks.sender.posted}) == 1
    assert len({posted.event_id for posted in hooks.sender.posted}) == 1
    assert len({posted.headers["webhook-signature"] for posted in hooks.sender.posted}) == 3


# The time since the first attempt, as the Standard Webhooks specification lists it.
SINCE_START = [
    timedelta(hours=h, minutes=m, seconds=s)
    for h, m, s in (
        *((0, 0, 0), (0, 0, 5), (0, 5, 5), (0, 35, 5), (2, 35, 5)),
        *((hours, 35, 5) for hours in (7, 17, 31, 51, 75)),
    )
]


def test_a_receiver_that_fails_is_tried_by_the_schedule_and_then_no_more(
    hooks: Hooks, tenant: Tenant
) -> None:
    """Breaks when a delay changes, or counts from the first attempt."""
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.sender.otherwise = Reply(500)
    hooks.event(tenant.workspace_id)
    start = hooks.clock.at
    hooks.drain()
    for since in SINCE_START[1:]:
        hooks.move_to(start + since - timedelta(milliseconds=1))
        assert hooks.run() == 0
        hooks.move_to(start + since)
        hooks.drain()
    assert [attempt["at"] - start for attempt in hooks.attempts()] == SINCE_START
    delivery = hooks.delivery()
    assert (delivery["state"], delivery["due_at"]) == (DeliveryState.FAILED, None)
    assert delivery["attempts"] == len(hooks.sender.posted) == 10
    assert {attempt["status"] for attempt in hooks.attempts()} == {500}
    assert hooks.endpoint_row(endpoint_id)["active"]
    hooks.clock.advance(10 * 86400)
    assert hooks.run() == 0


@pytest.mark.parametrize(
    ("action", "status", "failure"),
    [
        (Reply(301), 301, None),
        (Reply(302), 302, None),
        (Reply(404), 404, None),
        (Reply(429), 429, None),
        (Reply(503), 503, None),
        (TIMEOUT, None, "timeout"),
        (NotDelivered(Failure.ADDRESS_REFUSED), None, "address_refused"),
        (NotDelivered(Failure.NAME_NOT_FOUND), None, "name_not_found"),
        (NotDelivered(Failure.TLS), None, "tls"),
    ],
    ids=str,
)
def test_every_failure_is_tried_again(
    hooks: Hooks, tenant: Tenant, action: Any, status: int | None, failure: str | None
) -> None:
    """Breaks when a redirect counts as an answer: `is_success` up to 400."""
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.sender.script = [action]
    hooks.event(tenant.workspace_id)
    hooks.drain()
    (attempt,) = hooks.attempts()
    assert (attempt["status"], attempt["failure"]) == (status, failure)
    delivery = hooks.delivery()
    assert delivery["state"] == DeliveryState.PENDING
    assert delivery["due_at"] == hooks.clock.at + timedelta(seconds=5)
    row = hooks.endpoint_row(endpoint_id)
    assert (row["active"], row["first_failed_at"]) == (True, hooks.clock.at)


def test_the_delay_counts_from_the_end_of_the_attempt(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)

    def slowly() -> Reply:
        hooks.clock.advance(9)
        raise TIMEOUT

    hooks.sender.script = [slowly]
    started = hooks.clock.at
    hooks.drain()
    assert hooks.delivery()["due_at"] == started + timedelta(seconds=9 + 5)
    assert hooks.attempts()[0]["at"] == started


@pytest.mark.parametrize("status", [429, 503, 302, 500])
def test_a_receiver_that_asks_for_time_gets_it(hooks: Hooks, tenant: Tenant, status: int) -> None:
    hooks.endpoint(tenant.workspace_id)
    hooks.sender.script = [Reply(status, "600")]
    hooks.event(tenant.workspace_id)
    hooks.drain()
    assert hooks.delivery()["due_at"] == hooks.clock.at + timedelta(seconds=600)


def test_a_success_with_a_wish_is_a_success(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    hooks.sender.script = [Reply(202, "600")]
    hooks.event(tenant.workspace_id)
    hooks.drain()
    assert hooks.delivery()["state"] == DeliveryState.DELIVERED


def test_no_connection_is_held_while_a_receiver_is_waited_for(
    fresh_postgres_url: str, cipher: Cipher
) -> None:
    """Breaks when the posting moves inside a `with self.database…`: here is only one connection."""
    database = Database(fresh_postgres_url, pool_size=1)
    hooks = Hooks(Factory(database, cipher), ManualClock())
    tenant = hooks.factory.tenant(hooks.factory.organization())
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)

    def look() -> Reply:
        with database.reading():
            return Reply(200)

    hooks.sender.script = [look]
    hooks.drain()
    assert hooks.delivery()["state"] == DeliveryState.DELIVERED
    database.close()


def test_a_secret_that_cannot_be_opened_is_not_the_receivers_fault(
    hooks: Hooks, tenant: Tenant
) -> None:
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    stranger = Cipher([Fernet.generate_key().decode()])
    foreign = stranger.encrypt(secret_owner(endpoint_id), mint_secret())
    hooks.factory.set(webhook_endpoints, endpoint_id, secret=foreign)
    hooks.event(tenant.workspace_id)
    hooks.drain()
    assert hooks.sender.posted == []
    assert hooks.attempts()[0]["failure"] == Failure.INTERNAL
    assert hooks.delivery()["due_at"] == hooks.clock.at + timedelta(seconds=5)
    row = hooks.endpoint_row(endpoint_id)
    assert (row["active"], row["first_failed_at"]) == (True, None)


def test_a_defect_in_one_delivery_does_not_stop_the_others(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id, url="https://one.example.com/")
    hooks.endpoint(tenant.workspace_id, url="https://two.example.com/")
    hooks.sender.by_url = {"https://one.example.com/": KeyError("a secret text")}
    hooks.event(tenant.workspace_id)
    with capture_logs() as lines:
        hooks.drain()
    states = {row["state"] for row in hooks.deliveries()}
    assert states == {DeliveryState.PENDING, DeliveryState.DELIVERED}
    assert [line["why"] for line in lines if line["event"] == "webhook_not_sent"] == ["KeyError"]
    assert "a secret text" not in str(lines)


@pytest.mark.both_engines
def test_unstorable_result_does_not_affect_others(
    hooks: Hooks, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One outcome is lost with the database; the rest of the batch is stored, and the loss reported."""
    hooks.endpoint(tenant.workspace_id)
    for _ in range(3):
        hooks.event(tenant.workspace_id)
    really, noted = deliver.record_attempt, []

    def noting(*given: Any) -> None:
        noted.append(given)
        if len(noted) == 1:
            raise ServiceUnavailable
        really(*given)

    monkeypatch.setattr(deliver, "record_attempt", noting)
    with pytest.raises(ServiceUnavailable):
        hooks.run()
    states = sorted(row["state"] for row in hooks.deliveries())
    assert states == [DeliveryState.DELIVERED, DeliveryState.DELIVERED, DeliveryState.PENDING]
    hooks.clock.advance(60)
    hooks.drain()
    assert {row["state"] for row in hooks.deliveries()} == {DeliveryState.DELIVERED}
    assert len(hooks.sender.posted) == 4


def test_neither_logs_nor_attempts_hold_numbers_secrets_bodies_or_urls(
    hooks: Hooks, tenant: Tenant
) -> None:
    """Breaks when `_attempt` logs what the error says in place of its kind."""
    _, secret = with_secret(hooks, tenant)
    hooks.event(tenant.workspace_id, to_number=US_NUMBER)
    hooks.sender.script = [Reply(500), NotDelivered(Failure.TLS), RuntimeError(US_NUMBER)]
    with capture_logs() as lines:
        for _ in range(4):
            hooks.drain()
            hooks.clock.advance(3600)
    assert len(lines) >= 4
    written = str(lines) + str(hooks.attempts())
    for private in (US_NUMBER, US_NUMBER[1:], secret, secret[6:], HOOK, "hooks.example"):
        assert private not in written


def test_a_claim_does_not_show_what_is_private(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id, to_number=US_NUMBER)
    worker = hooks.worker()
    worker._fan_out()
    (due,) = worker._claim()
    assert US_NUMBER not in repr(due)
    assert HOOK not in repr(due)
    assert due.encrypted_secrets[0] not in repr(due)
