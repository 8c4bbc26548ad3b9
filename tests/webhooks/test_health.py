"""When an endpoint last took an event: attempts that failed never count."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert

from app.kernel.ids import new_id
from app.webhooks.endpoints import load_last_successes
from app.webhooks.sender import Reply
from app.webhooks.tables import webhook_attempts
from support.webhooks import HOOK, Hooks


def successes(hooks: Hooks, *endpoint_ids: UUID) -> dict[UUID, datetime]:
    with hooks.factory.database.reading() as connection:
        return load_last_successes(connection, endpoint_ids)


def test_last_success_counts_for_its_endpoint_only(hooks: Hooks) -> None:
    tenant = hooks.factory.tenant(hooks.factory.organization())
    good = hooks.endpoint(tenant.workspace_id)
    bad = hooks.endpoint(tenant.workspace_id, url=HOOK + "/bad")
    assert successes(hooks, good, bad) == {}
    hooks.sender.by_url[HOOK + "/bad"] = Reply(500)
    for _ in range(2):
        hooks.event(tenant.workspace_id)
        hooks.drain()
        hooks.move_to(hooks.clock.at + timedelta(seconds=1))
    last = max(one["at"] for one in hooks.attempts() if one["status"] == 204)
    assert successes(hooks, good, bad) == {good: last}
    assert successes(hooks, bad) == {}


def test_failures_after_it_do_not_count(hooks: Hooks) -> None:
    tenant = hooks.factory.tenant(hooks.factory.organization())
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)
    hooks.drain()
    taken = hooks.attempts()[0]
    # A second worker, that had the same delivery, got a failure.
    late = {**taken, "id": new_id(), "at": hooks.clock.at + timedelta(hours=1), "status": 500}
    hooks.factory.write(insert(webhook_attempts).values(**late))
    hooks.sender.otherwise = Reply(500)
    hooks.event(tenant.workspace_id)
    hooks.drain()
    assert successes(hooks, endpoint_id) == {endpoint_id: taken["at"]}
