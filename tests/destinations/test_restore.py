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

pytestmark = pytest.mark.one_engine


def test_any_revision_can_be_restored_rules_included(policy: PolicyClient) -> None:
    policy.put({"BR": "allowed", "US": "blocked"})
    rule = policy.add_rule("number", BR_NUMBER, "blocked", reason="asked us to").json
    policy.drop_rule(rule["id"])
    policy.put({"US": "allowed"})
    assert not policy.reaches(BR_NUMBER)

    answer = policy.restore(2, X_Change_Reason="the incident is over")
    assert (answer.status_code, revision_of(answer)) == (200, 6)
    assert answer.json == policy.get()
    assert policy.destinations == {"BR": "allowed", "US": "blocked"}
    assert policy.reaches(BR_NUMBER)
    assert not policy.reaches(US_NUMBER)

    assert revision_of(policy.restore(3)) == 7
    assert policy.get("/rules")["items"] == [rule]
    assert not policy.reaches(BR_NUMBER)
    assert revision_of(policy.restore(6)) == 8
    assert policy.reaches(BR_NUMBER)
    newest = policy.history()[2]
    assert (newest["action"], newest["revision"], newest["from_revision"]) == ("restored", 6, 5)
    assert (newest["restored_revision"], newest["reason"]) == (2, "the incident is over")
    assert newest["changes"] == [
        {"country": "BR", "from": None, "to": "allowed"},
        {"country": "US", "from": "allowed", "to": "blocked"},
    ]


def test_rules_that_have_expired_since_stay_away(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    soon = rfc3339(clock.at + timedelta(hours=1))
    timed_policy.allow_until(soon, "BR")
    timed_policy.add_rule("prefix", "+1202", "blocked")
    timed_policy.put({})
    assert [rule["value"] for rule in timed_policy.get("/rules")["items"]] == ["+1202"]
    assert timed_policy.restore(3).status_code == 200
    assert [rule["value"] for rule in timed_policy.get("/rules")["items"]] == ["BR", "+1202"]
    timed_policy.put({})
    clock.advance(3600)
    assert timed_policy.restore(3).status_code == 200
    assert [rule["value"] for rule in timed_policy.get("/rules")["items"]] == ["+1202"]
    assert not timed_policy.reaches(BR_NUMBER)


def test_newly_denied_destinations_stay_denied(policy: PolicyClient) -> None:
    policy.allow("BR")
    policy.put({"US": "allowed"})
    policy.factory.set(organizations, policy.tenant.organization_id, denied_destinations=["BR"])
    assert policy.restore(2).status_code == 200
    assert policy.destinations == {"US": "allowed", "BR": "allowed"}
    (verdict,) = policy.check(BR_NUMBER)
    assert (verdict["allowed"], verdict["scope"]) == (False, "organization")
    assert not policy.reaches(BR_NUMBER)


def test_a_revision_at_which_the_workspace_inherited_is_restored_as_such(
    policy: PolicyClient,
) -> None:
    child = policy.a_colleague(parent_id=policy.tenant.workspace_id, destinations={"BR": "allowed"})
    child.inherit(True)
    child.inherit(False)
    child.block("US")
    assert child.restore(2).status_code == 200
    assert child.get("/inheritance")["inherit"] is True
    assert child.reaches(US_NUMBER)
    policy.block("US")
    assert not child.reaches(US_NUMBER)


def test_without_a_parent_by_now_a_restored_workspace_decides_alone(policy: PolicyClient) -> None:
    child = policy.a_colleague(parent_id=policy.tenant.workspace_id, destinations={"BR": "allowed"})
    child.inherit(True)
    child.inherit(False)
    policy.factory.set(workspaces, child.tenant.workspace_id, parent_id=None)
    assert child.restore(2).status_code == 200
    assert child.get("/inheritance")["inherit"] is False
    assert child.destinations == {"BR": "allowed"}


def test_a_workspace_that_inherits_is_not_restored(policy: PolicyClient) -> None:
    child = policy.a_colleague(parent_id=policy.tenant.workspace_id)
    child.allow("CA")
    child.inherit(True)
    with unchanged(policy.factory.database):
        assert child.restore(2).json["code"] == "DestinationsInherited"


@each(
    ("revision", "status"),
    [
        *(("9", 404), ("0", 404), ("999999999", 404), ("1234567890", 404)),
        *(("x", 400), ("-1", 400), ("1.0", 400), ("%D9%A3", 400), ("+2", 400)),
    ],
)
def test_a_revision_that_never_was_cannot_be_restored(
    policy: PolicyClient, revision: str, status: int
) -> None:
    with unchanged(policy.factory.database):
        assert policy.restore(revision).status_code == status
