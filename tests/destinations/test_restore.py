"""Going back to how the policy was: a change like any other, with a revision of its own."""

from datetime import timedelta

import pytest

from app.access.tables import organizations, workspaces
from app.kernel.clock import rfc3339
from support.destinations import PolicyClient, revision_of
from support.each import each
from support.factories import BR_NUMBER, US_NUMBER
from support.tables import unchanged
from support.time import ManualClock


def test_any_revision_can_be_restored_rules_included(policy_client: PolicyClient) -> None:
    policy_client.put({"BR": "allowed", "US": "blocked"})
    rule = policy_client.add_rule("number", BR_NUMBER, "blocked", reason="asked us to").json
    policy_client.drop_rule(rule["id"])
    policy_client.put({"US": "allowed"})
    assert not policy_client.reaches(BR_NUMBER)

    answer = policy_client.restore(2, X_Change_Reason="the incident is over")
    assert (answer.status_code, revision_of(answer)) == (200, 6)
    assert answer.json == policy_client.get()
    assert policy_client.destinations == {"BR": "allowed", "US": "blocked"}
    assert policy_client.reaches(BR_NUMBER)
    assert not policy_client.reaches(US_NUMBER)

    assert revision_of(policy_client.restore(3)) == 7
    assert policy_client.get("/rules")["items"] == [rule]
    assert not policy_client.reaches(BR_NUMBER)
    assert revision_of(policy_client.restore(6)) == 8
    assert policy_client.reaches(BR_NUMBER)
    newest = policy_client.history()[2]
    assert (newest["action"], newest["revision"], newest["from_revision"]) == ("restored", 6, 5)
    assert (newest["restored_revision"], newest["reason"]) == (2, "the incident is over")
    assert newest["changes"] == [
        {"country": "BR", "from": None, "to": "allowed"},
        {"country": "US", "from": "allowed", "to": "blocked"},
    ]


def test_rules_that_have_expired_since_stay_away(
    timed_policy_client: PolicyClient, clock: ManualClock
) -> None:
    soon = rfc3339(clock.at + timedelta(hours=1))
    timed_policy_client.allow_until(soon, "BR")
    timed_policy_client.add_rule("prefix", "+1202", "blocked")
    timed_policy_client.put({})
    assert [rule["value"] for rule in timed_policy_client.get("/rules")["items"]] == ["+1202"]
    assert timed_policy_client.restore(3).status_code == 200
    assert [rule["value"] for rule in timed_policy_client.get("/rules")["items"]] == ["BR", "+1202"]
    timed_policy_client.put({})
    clock.advance(3600)
    assert timed_policy_client.restore(3).status_code == 200
    assert [rule["value"] for rule in timed_policy_client.get("/rules")["items"]] == ["+1202"]
    assert not timed_policy_client.reaches(BR_NUMBER)


def test_newly_denied_destinations_stay_denied(policy_client: PolicyClient) -> None:
    policy_client.allow("BR")
    policy_client.put({"US": "allowed"})
    policy_client.factory.set(
        organizations, policy_client.tenant.organization_id, denied_destinations=["BR"]
    )
    assert policy_client.restore(2).status_code == 200
    assert policy_client.destinations == {"US": "allowed", "BR": "allowed"}
    (verdict,) = policy_client.check(BR_NUMBER)
    assert (verdict["allowed"], verdict["scope"]) == (False, "organization")
    assert not policy_client.reaches(BR_NUMBER)


def test_a_revision_at_which_the_workspace_inherited_is_restored_as_such(
    policy_client: PolicyClient,
) -> None:
    child = policy_client.a_colleague(
        parent_id=policy_client.tenant.workspace_id, destinations={"BR": "allowed"}
    )
    child.inherit(True)
    child.inherit(False)
    child.block("US")
    assert child.restore(2).status_code == 200
    assert child.get("/inheritance")["inherit"] is True
    assert child.reaches(US_NUMBER)
    policy_client.block("US")
    assert not child.reaches(US_NUMBER)


def test_without_a_parent_by_now_a_restored_workspace_decides_alone(
    policy_client: PolicyClient,
) -> None:
    child = policy_client.a_colleague(
        parent_id=policy_client.tenant.workspace_id, destinations={"BR": "allowed"}
    )
    child.inherit(True)
    child.inherit(False)
    policy_client.factory.set(workspaces, child.tenant.workspace_id, parent_id=None)
    assert child.restore(2).status_code == 200
    assert child.get("/inheritance")["inherit"] is False
    assert child.destinations == {"BR": "allowed"}


def test_a_workspace_that_inherits_is_not_restored(policy_client: PolicyClient) -> None:
    child = policy_client.a_colleague(parent_id=policy_client.tenant.workspace_id)
    child.allow("CA")
    child.inherit(True)
    with unchanged(policy_client.factory.database):
        assert child.restore(2).json["code"] == "DestinationsInherited"


@pytest.mark.one_engine
@each(
    ("revision", "status"),
    [
        *(("9", 404), ("0", 404), ("999999999", 404), ("1234567890", 404)),
        *(("x", 400), ("-1", 400), ("1.0", 400), ("%D9%A3", 400), ("+2", 400)),
    ],
)
def test_a_revision_that_never_was_cannot_be_restored(
    policy_client: PolicyClient, revision: str, status: int
) -> None:
    with unchanged(policy_client.factory.database):
        assert policy_client.restore(revision).status_code == status
