"""What is past its time is erased, workspace by workspace, and nothing else."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from app.access.tables import workspaces
from app.kernel.clock import Clock, utc_now
from app.kernel.ids import new_id
from app.messages.retention.purge import PURGE_BATCH, Purge, Purged
from app.messages.tables import idempotency_keys, messages
from support.factories import ACCOUNT, US_NUMBER, Factory, Gateway, Tenant
from support.plans import explained, statements_of

# The index of the primary key, as each engine names it in a plan; by whether it is SQLite.
KEY_INDEX = {True: "sqlite_autoindex_idempotency_keys_1", False: "pk_idempotency_keys"}


def purge_after(factory: Factory, days: float) -> Purged:
    at = utc_now() + timedelta(days=days)
    return Purge(factory.database, Clock(lambda: at), "k" * 32)()


def test_bodies_go_after_seven_days_and_numbers_after_ninety(
    factory: Factory, gateway: Gateway, tenant: Tenant
) -> None:
    gateway.send(tenant)
    assert purge_after(factory, 6.9) == Purged()
    assert purge_after(factory, 7.1).bodies == 1
    (row,) = factory.rows(messages)
    assert (row["body"], row["to_number"]) == (None, US_NUMBER)
    assert purge_after(factory, 90.1) == Purged(numbers=1)
    (row,) = factory.rows(messages)
    assert row["to_number"].startswith("~")
    assert US_NUMBER not in str(row)
    assert purge_after(factory, 365) == Purged()


def test_a_pseudonym_is_the_same_for_the_same_number_and_needs_the_key(factory: Factory) -> None:
    one, other = (Purge(factory.database, Clock(), key * 32) for key in "ab")
    assert one.pseudonym(US_NUMBER) == one.pseudonym(US_NUMBER) != one.pseudonym("+12025550124")
    assert one.pseudonym(US_NUMBER) != other.pseudonym(US_NUMBER)


def test_each_workspace_has_its_own_times(
    factory: Factory, gateway: Gateway, tenant: Tenant
) -> None:
    other = factory.tenant(tenant.organization_id, "Patient", account_sid=ACCOUNT)
    factory.set(workspaces, other.workspace_id, body_retention_days=30)
    gateway.send(tenant)
    gateway.send(other)
    assert purge_after(factory, 8).bodies == 1
    kept = [row["workspace_id"] for row in factory.rows(messages) if row["body"] is not None]
    assert kept == [other.workspace_id]


def test_the_first_answers_of_idempotency_keys_go_with_their_lifetime(
    factory: Factory, gateway: Gateway, tenant: Tenant
) -> None:
    gateway.send(tenant, Idempotency_Key="k")
    assert purge_after(factory, 0.9).answers == 0
    assert purge_after(factory, 1.1).answers == 1
    assert factory.rows(idempotency_keys) == []


def write_keys(factory: Factory, tenant: Tenant, count: int) -> None:
    at = utc_now() - timedelta(hours=25)
    row = {"workspace_id": tenant.workspace_id, "request_hash": "r", "message_id": new_id()}
    with factory.database.writing() as c:
        keys = [row | {"key_hash": f"{n}", "created_at": at} for n in range(count)]
        c.execute(insert(idempotency_keys), keys)


def test_many_keys_go_in_batches_that_read_by_an_index_alone(
    factory: Factory, tenant: Tenant
) -> None:
    """Break: in `_answers`, delete by `message_id`; or in one statement without a limit."""
    batches = 3
    write_keys(factory, tenant, batches * PURGE_BATCH + 1)
    with explained(factory.database, "idempotency_keys") as plans:
        assert purge_after(factory, 0).answers == batches * PURGE_BATCH + 1
    assert factory.rows(idempotency_keys) == []
    scans = ("Seq Scan on idempotency_keys", "SCAN idempotency_keys")
    assert [plan for plan in plans if any(scan in plan for scan in scans)] == []
    # Each batch reads once and deletes once, each deletion by a key.
    assert len(plans) == 2 * (batches + 1)
    assert len([plan for plan in plans if KEY_INDEX[factory.database.is_sqlite] in plan]) == (
        batches + 1
    )


def test_each_batch_begins_where_the_one_before_ended(
    factory: Factory, gateway: Gateway, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `_in_batches`, keep the first end."""
    monkeypatch.setattr("app.messages.retention.purge.PURGE_BATCH", 2)
    for _ in range(5):
        gateway.send(tenant)
    with statements_of(factory.database, "SELECT messages.id") as read:
        assert purge_after(factory, 91) == Purged(bodies=5, numbers=5)
    ends = [str(given) for _, given in read]
    assert len(ends) == len(set(ends)) == 6


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_the_index_by_number_leads_to_the_numbers_that_expired(
    factory: Factory, gateway: Gateway, tenant: Tenant
) -> None:
    """Break: in `_numbers`, order by id. `test_growing_plans` looks at PostgreSQL."""
    gateway.send(tenant)
    with explained(factory.database, "ORDER BY messages.workspace_id, messages.to_number") as plans:
        assert purge_after(factory, 91).numbers == 1
    (plan,) = plans
    assert "ix_messages_by_number (workspace_id=? AND (to_number,id)>(?,?))" in plan
    assert "TEMP B-TREE" not in plan


def test_a_purged_message_can_still_be_fetched(
    factory: Factory, gateway: Gateway, tenant: Tenant, tmp_path: Path
) -> None:
    sent = gateway.send(tenant).json
    purge_after(factory, 91)
    found = gateway.get(f"/v1/sms/{sent['id']}", key=next(iter(tenant.keys.values())))
    assert (found.status_code, found.json["body"]) == (200, None)
