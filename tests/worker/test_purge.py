"""What is past its time is erased, workspace by workspace, and nothing else."""

from datetime import timedelta
from pathlib import Path

from app.access.tables import workspaces
from app.kernel.clock import Clock, utc_now
from app.messages.purge import Purge, Purged
from app.messages.tables import idempotency_keys, messages
from support.world import ACCOUNT, US_NUMBER, Gateway, Tenant, World


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


def test_a_purged_message_can_still_be_fetched(
    world: World, gateway: Gateway, tenant: Tenant, tmp_path: Path
) -> None:
    sent = gateway.send(tenant).json
    purge_after(world, 91)
    found = gateway.get(f"/v1/sms/{sent['id']}", key=next(iter(tenant.keys.values())))
    assert (found.status_code, found.json["body"]) == (200, None)
