"""Forgetting events in time and on request, and sealing secrets anew."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert

from app.access.tables import workspaces
from app.db.encryption import Cipher
from app.kernel.ids import first_id_at
from app.tenancy.key_rotation import reencrypt_table
from app.webhooks.endpoints import mint_secret, secret_owner
from app.webhooks.outbox import EVENT_BATCH, EventType, PurgeWebhooks, erase_events, event_row
from app.webhooks.tables import webhook_attempts, webhook_endpoints, webhook_events
from support.factories import US_NUMBER, Tenant
from support.plans import explained
from support.webhooks import Hooks


def old_event(hooks: Hooks, tenant: Tenant, age: timedelta, place: int = 0) -> None:
    """An event as it was stored long ago: its id tells the time."""
    at = hooks.clock.at - age
    row = event_row(tenant.workspace_id, EventType.SMS_SENT, {"to_number": US_NUMBER}, at)
    row["id"] = UUID(int=first_id_at(at).int + place)
    hooks.factory.write(insert(webhook_events).values(**row))


def purge(hooks: Hooks) -> int:
    return PurgeWebhooks(hooks.factory.database, hooks.clock.clock())()


@pytest.mark.one_engine
@pytest.mark.parametrize(("kept_days", "gone_after"), [(90, 30), (30, 30), (7, 7), (1, 1)])
def test_events_are_kept_a_month_and_no_longer_than_numbers(
    hooks: Hooks, tenant: Tenant, kept_days: int, gone_after: int
) -> None:
    hooks.factory.set(workspaces, tenant.workspace_id, number_retention_days=kept_days)
    hooks.endpoint(tenant.workspace_id, created_at=hooks.clock.at - timedelta(days=100))
    moment = timedelta(milliseconds=1)
    old_event(hooks, tenant, timedelta(days=gone_after) + moment)
    old_event(hooks, tenant, timedelta(days=gone_after) - moment)
    hooks.drain()
    assert len(hooks.attempts()) == 2
    assert purge(hooks) == 1
    (left,) = hooks.events()
    assert left["created_at"] == hooks.clock.at - timedelta(days=gone_after) + moment
    assert [row["event_id"] for row in hooks.deliveries()] == [left["id"]]
    assert len(hooks.factory.rows(webhook_attempts)) == 1


def test_a_long_past_goes_in_batches(hooks: Hooks, tenant: Tenant) -> None:
    for place in range(EVENT_BATCH + 1):
        old_event(hooks, tenant, timedelta(days=40), place)
    assert purge(hooks) == EVENT_BATCH + 1
    assert hooks.events() == []


def test_expired_secret_is_deleted(hooks: Hooks, tenant: Tenant) -> None:
    now = hooks.clock.at
    over = hooks.endpoint(tenant.workspace_id, previous_secret="x", previous_secret_until=now)
    live = hooks.endpoint(
        tenant.workspace_id, previous_secret="y", previous_secret_until=now + timedelta(seconds=1)
    )
    purge(hooks)
    assert hooks.endpoint_row(over)["previous_secret"] is None
    assert hooks.endpoint_row(live)["previous_secret"] == "y"


def test_number_is_erased_on_request_with_its_events(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id, to_number=US_NUMBER)
    hooks.event(tenant.workspace_id, to_number=US_NUMBER + "4")
    hooks.drain()
    with hooks.factory.database.writing() as c:
        assert erase_events(c, US_NUMBER) == 1
    assert US_NUMBER + '"' not in str(hooks.events())
    assert len(hooks.deliveries()) == len(hooks.attempts()) == 1


def test_an_index_leads_to_the_events_of_a_number(hooks: Hooks, tenant: Tenant) -> None:
    """Break: in `erase_events`, look into the payload of every event."""
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id, to_number=US_NUMBER)
    hooks.drain()
    database = hooks.factory.database
    with explained(database, "DELETE FROM webhook_events") as plans, database.writing() as c:
        assert erase_events(c, US_NUMBER) == 1
    assert len(plans) == 2
    assert [plan for plan in plans if "ix_webhook_events_to_number" not in plan] == []


@pytest.fixture
def keys() -> tuple[str, str]:
    """An old key and a new one."""
    return Fernet.generate_key().decode(), Fernet.generate_key().decode()


def sealed_with(cipher: Cipher, hooks: Hooks, tenant: Tenant, **more: Any) -> tuple[Any, str]:
    endpoint_id, secret = hooks.endpoint(tenant.workspace_id, **more), mint_secret()
    owner = secret_owner(endpoint_id)
    hooks.factory.set(webhook_endpoints, endpoint_id, secret=cipher.encrypt(owner, secret))
    return endpoint_id, secret


def test_every_secret_is_reencrypted_with_the_first_key(
    hooks: Hooks, tenant: Tenant, keys: tuple[str, str]
) -> None:
    old, new = keys
    endpoint_id, secret = sealed_with(Cipher([old]), hooks, tenant)
    owner = secret_owner(endpoint_id)
    previous = mint_secret()
    hooks.factory.set(
        webhook_endpoints,
        endpoint_id,
        previous_secret=Cipher([old]).encrypt(owner, previous),
        previous_secret_until=hooks.clock.at,
    )
    sealed_with(Cipher([new]), hooks, tenant)
    both = Cipher([new, old])
    done = reencrypt_table(hooks.factory.database, both, webhook_endpoints)
    assert (done.changed, done.current) == (2, 1)
    row = hooks.endpoint_row(endpoint_id)
    assert Cipher([new]).decrypt(owner, row["secret"]) == secret
    assert Cipher([new]).decrypt(owner, row["previous_secret"]) == previous
    again = reencrypt_table(hooks.factory.database, both, webhook_endpoints)
    assert (again.changed, again.current) == (0, 3)
