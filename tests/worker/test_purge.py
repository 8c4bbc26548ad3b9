"""What is past its time is erased, workspace by workspace, and nothing else."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from app.access.tables import workspaces
from app.kernel.clock import Clock, utc_now
from app.kernel.ids import new_id
from app.messages.purge import BATCH, Purge, Purged
from app.messages.tables import idempotency_keys, messages
from support.plans import explained, parameters_of
from support.world import ACCOUNT, US_NUMBER, Gateway, Tenant, World

# The index of the primary key, as each engine names it in a plan; by whether it is SQLite.
KEY_INDEX = {True: "sqlite_autoindex_idempotency_keys_1", False: "pk_idempotency_keys"}


def purge_after(world: World, days: float) -> Purged:
    at = utc_now() + timedelta(days=days)
    return Purge(world.database, Clock(lambda: at), "k" * 32)()


def test_bodies_go_after_seven_days_and_numbers_after_ninety(
    world: World, gateway: Gateway, tenant: Tenant
) -> None:
    gateway.send(tenant)
    assert purge_after(world, 6.9) == Purged()
    assert purge_after(world, 7.1).bodies == 1
    (row,) = world.rows(messages)
    assert (row["body"], row["to_number"]) == (None, US_NUMBER)
    assert purge_after(world, 90.1) == Purged(numbers=1)
    (row,) = world.rows(messages)
    assert row["to_number"].startswith("~")
    assert US_NUMBER not in str(row)
    assert purge_after(world, 365) == Purged()


def test_a_pseudonym_is_the_same_for_the_same_number_and_needs_the_key(world: World) -> None:
    one, other = (Purge(world.database, Clock(), key * 32) for key in "ab")
    assert one.pseudonym(US_NUMBER) == one.pseudonym(US_NUMBER) != one.pseudonym("+12025550124")
    assert one.pseudonym(US_NUMBER) != other.pseudonym(US_NUMBER)


def test_each_workspace_has_its_own_times(world: World, gateway: Gateway, tenant: Tenant) -> None:
    other = world.tenant(tenant.organization_id, "Patient", account_sid=ACCOUNT)
    world.set(workspaces, other.workspace_id, body_retention_days=30)
    gateway.send(tenant)
    gateway.send(other)
    assert purge_after(world, 8).bodies == 1
    kept = [row["workspace_id"] for row in world.rows(messages) if row["body"] is not None]
    assert kept == [other.workspace_id]


def test_the_first_answers_of_idempotency_keys_go_with_their_lifetime(
    world: World, gateway: Gateway, tenant: Tenant
) -> None:
    gateway.send(tenant, Idempotency_Key="k")
    assert purge_after(world, 0.9).answers == 0
    assert purge_after(world, 1.1).answers == 1
    assert world.rows(idempotency_keys) == []


def write_keys(world: World, tenant: Tenant, count: int) -> None:
    at = utc_now() - timedelta(hours=25)
    row = {"workspace_id": tenant.workspace_id, "request_hash": "r", "message_id": new_id()}
    with world.database.writing() as c:
        keys = [row | {"key_hash": f"{n}", "created_at": at} for n in range(count)]
        c.execute(insert(idempotency_keys), keys)


def test_many_keys_go_in_batches_that_read_by_an_index_alone(world: World, tenant: Tenant) -> None:
    """Break: in `_answers`, delete by `message_id`; or in one statement without a limit."""
    batches = 3
    write_keys(world, tenant, batches * BATCH + 1)
    with explained(world.database, "idempotency_keys") as plans:
        assert purge_after(world, 0).answers == batches * BATCH + 1
    assert world.rows(idempotency_keys) == []
    scans = ("Seq Scan on idempotency_keys", "SCAN idempotency_keys")
    assert [plan for plan in plans if any(scan in plan for scan in scans)] == []
    # Each batch reads once and deletes once, each deletion by a key.
    assert len(plans) == 2 * (batches + 1)
    assert len([plan for plan in plans if KEY_INDEX[world.database.is_sqlite] in plan]) == (
        batches + 1
    )


def test_each_batch_begins_where_the_one_before_ended(
    world: World, gateway: Gateway, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `_in_batches`, keep the first end."""
    monkeypatch.setattr("app.messages.purge.BATCH", 2)
    for _ in range(5):
        gateway.send(tenant)
    with parameters_of(world.database, "SELECT messages.id") as read:
        assert purge_after(world, 91) == Purged(bodies=5, numbers=5)
    ends = [str(given) for given in read]
    assert len(ends) == len(set(ends)) == 6


def test_a_purged_message_can_still_be_fetched(
    world: World, gateway: Gateway, tenant: Tenant, tmp_path: Path
) -> None:
    sent = gateway.send(tenant).json
    purge_after(world, 91)
    found = gateway.get(f"/v1/sms/{sent['id']}", key=next(iter(tenant.keys.values())))
    assert (found.status_code, found.json["body"]) == (200, None)
