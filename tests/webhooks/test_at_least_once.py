"""Workers that die, workers that are late, two workers at once: delivered once or again, never lost."""

from datetime import timedelta

import pytest

from app.db.engine import Database
from app.webhooks.claims import DELIVERY_LEASE, DueDelivery, choose_due, claim_chosen
from app.webhooks.deliver import fan_out
from app.webhooks.deliveries import record_attempt
from app.webhooks.sender import SECONDS, Attempt, DeliveryState, HttpSender
from app.webhooks.tables import webhook_endpoints
from support.factories import Tenant
from support.loopback import Loopback, answer
from support.threads import together
from support.webhooks import Hooks

MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def waiting(hooks: Hooks, tenant: Tenant) -> Hooks:
    """One event that waits to be sent to one endpoint."""
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)
    hooks.worker()._fan_out()
    return hooks


def note(hooks: Hooks, due: DueDelivery, status: int) -> None:
    at = hooks.clock.at
    with hooks.factory.database.writing() as c:
        record_attempt(c, due, Attempt(at, 1, status), at, 0.5)


def test_an_exchange_and_its_note_fit_into_a_lease_and_a_lease_into_a_minute() -> None:
    assert 3 * timedelta(seconds=SECONDS) <= DELIVERY_LEASE < timedelta(seconds=60)


def test_a_worker_that_dies_before_it_posts_leaves_the_delivery_to_another(waiting: Hooks) -> None:
    """Breaks when a claim takes `due_at` away instead of moving it ahead."""
    (due,) = waiting.claim()
    start = waiting.clock.at
    waiting.move_to(start + DELIVERY_LEASE - MOMENT)
    assert waiting.run() == 0
    waiting.move_to(start + DELIVERY_LEASE)
    waiting.drain()
    assert [posted.event_id for posted in waiting.sender.posted] == [due.event_id]
    assert waiting.delivery()["state"] == DeliveryState.DELIVERED


def test_worker_that_dies_after_posting_delivers_twice_with_one_id(waiting: Hooks) -> None:
    (due,) = waiting.claim()
    waiting.worker()._post(due, waiting.clock.at)
    waiting.clock.at += DELIVERY_LEASE
    waiting.drain()
    assert [posted.event_id for posted in waiting.sender.posted] == [due.event_id] * 2
    assert waiting.delivery()["state"] == DeliveryState.DELIVERED


def test_a_worker_that_dies_in_the_fan_out_leaves_the_event(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)

    def dies() -> None:
        with hooks.factory.database.writing() as c:
            assert fan_out(c, hooks.clock.at) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dies()
    assert hooks.deliveries() == []
    hooks.drain()
    assert len(hooks.sender.posted) == 1


def test_a_failure_that_comes_too_late_does_not_undo_anothers_success(waiting: Hooks) -> None:
    """Breaks when `record_attempt` does not look whether the claim still holds."""
    (late,) = waiting.claim()
    waiting.clock.at += DELIVERY_LEASE
    waiting.drain()
    note(waiting, late, 500)
    delivery = waiting.delivery()
    assert (delivery["state"], delivery["due_at"]) == (DeliveryState.DELIVERED, None)
    assert sorted(row["status"] for row in waiting.attempts()) == [204, 500]


def test_a_success_that_comes_too_late_is_still_a_success(waiting: Hooks) -> None:
    (late,) = waiting.claim()
    waiting.clock.at += DELIVERY_LEASE
    (again,) = waiting.claim()
    note(waiting, late, 200)
    note(waiting, again, 500)
    assert waiting.delivery()["state"] == DeliveryState.DELIVERED
    waiting.clock.advance(86400)
    assert waiting.run() == 0


def test_a_late_failure_leaves_the_claim_of_another_alone(waiting: Hooks) -> None:
    (late,) = waiting.claim()
    waiting.clock.at += DELIVERY_LEASE
    (again,) = waiting.claim()
    note(waiting, late, 500)
    assert waiting.delivery()["due_at"] == again.leased_until


def test_rows_deleted_during_the_post_are_not_written(waiting: Hooks) -> None:
    (due,) = waiting.claim()
    waiting.factory.write(webhook_endpoints.delete())
    note(waiting, due, 200)
    assert waiting.deliveries() == []
    assert waiting.attempts() == []


def test_claimed_delivery_is_not_claimed_again(waiting: Hooks) -> None:
    assert len(waiting.claim()) == 1
    assert waiting.claim() == []


def test_of_two_workers_that_chose_the_same_one_gets_it(hooks: Hooks, tenant: Tenant) -> None:
    """Breaks when a claim does not look again whether what was chosen is still due."""
    hooks.endpoint(tenant.workspace_id)
    for _ in range(5):
        hooks.event(tenant.workspace_id)
    hooks.worker()._fan_out()
    database, now = hooks.factory.database, hooks.clock.at
    with database.reading() as c:
        chosen = choose_due(c, now, 5)
    assert len(chosen) == 5
    with database.writing() as c:
        first = {due.delivery_id for due in claim_chosen(c, chosen[:3], now)}
    with database.writing() as c:
        second = {due.delivery_id for due in claim_chosen(c, chosen, now)}
    assert (first, second) == (set(chosen[:3]), set(chosen[3:]))


def test_workers_that_claim_in_the_same_instant_share(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    for _ in range(12):
        hooks.event(tenant.workspace_id)
    hooks.worker()._fan_out()
    url = hooks.factory.database.engine.url.render_as_string(hide_password=False)
    others = [Database(url, pool_size=2) for _ in range(3)]
    now = hooks.clock.at
    with hooks.factory.database.reading() as c:
        chosen = choose_due(c, now, 12)

    def take(database: Database) -> list[object]:
        with database.writing() as c:
            return [due.delivery_id for due in claim_chosen(c, chosen, now)]

    taken = together([lambda database=database: take(database) for database in others])
    for database in others:
        database.close()
    ids = [one for some in taken for one in some]
    assert sorted(ids) == sorted(chosen)


def test_two_workers_that_run_deliver_everything_once(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    for _ in range(30):
        hooks.event(tenant.workspace_id)
    together([hooks.drain, hooks.drain])
    hooks.drain()
    ids = [posted.event_id for posted in hooks.sender.posted]
    assert len(ids) == len(set(ids)) == 30
    assert {row["state"] for row in hooks.deliveries()} == {DeliveryState.DELIVERED}


def test_over_real_sockets_an_event_arrives_and_is_noted(hooks: Hooks, tenant: Tenant) -> None:
    with Loopback(script=[answer(500, "no"), answer(200, "yes")]) as receiver:
        hooks.endpoint(tenant.workspace_id, url=f"{receiver.url}/hook")
        hooks.event(tenant.workspace_id, id="1")
        worker = hooks.worker(sender=HttpSender(allow_loopback=True))
        while worker.run_once():
            pass
        hooks.clock.advance(5)
        worker.run_once()
        bodies = [request.body for request in receiver.requests]
    assert len(bodies) == 2
    assert len(set(bodies)) == 1
    assert [row["status"] for row in hooks.attempts()] == [500, 200]
    assert hooks.delivery()["state"] == DeliveryState.DELIVERED
