"""A workspace may follow its parent: at once, whole, and without losing what was its own."""

from typing import Any

import pytest

from app.access.tables import workspaces
from app.kernel.ids import new_id
from support.destinations import (
    CHANGES,
    PolicyClient,
    prepared,
    revision_of,
    store_rule,
    tie_a_loop,
)
from support.factories import BR_NUMBER, US_NUMBER
from support.tables import unchanged

pytestmark = pytest.mark.one_engine


def test_a_child_and_its_children_follow_the_parent_immediately(policy: PolicyClient) -> None:
    child = policy.a_child()
    grandchild = child.a_child()
    for found in (child, grandchild):
        assert found.destinations == {"US": "allowed"}
        assert found.reaches(US_NUMBER)
        assert not found.reaches(BR_NUMBER)
    policy.put({"BR": "allowed"})
    rule = policy.add_rule("number", BR_NUMBER, "blocked").json
    for found in (child, grandchild):
        assert not found.reaches(US_NUMBER)
        (verdict,) = found.check(BR_NUMBER)
        assert (verdict["allowed"], verdict["rule"], verdict["revision"]) == (False, "number", 3)
        assert found.get("/rules")["items"] == []  # the parent's number is not shown
        assert found.revision == 3
    policy.drop_rule(rule["id"])
    assert child.reaches(BR_NUMBER)
    assert grandchild.reaches(BR_NUMBER)


def test_the_answer_names_the_owner_of_the_policy(policy: PolicyClient) -> None:
    child = policy.a_child()
    grandchild = child.a_child()
    own, above = str(policy.tenant.workspace_id), str(child.tenant.workspace_id)
    assert policy.get("/inheritance") == {
        "inherit": False,
        "parent_workspace_id": None,
        "owner_workspace_id": own,
    }
    assert grandchild.get("/inheritance") == {
        "inherit": True,
        "parent_workspace_id": above,
        "owner_workspace_id": own,
    }
    assert child.inherit(False).json == {
        "inherit": False,
        "parent_workspace_id": own,
        "owner_workspace_id": above,
    }
    assert grandchild.get("/inheritance")["owner_workspace_id"] == above


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - {"inherit"}))
def test_editing_while_inheriting_is_refused_with_the_remedy(
    policy: PolicyClient, name: str
) -> None:
    found = prepared(policy)
    rules: Any = found.get("/rules")["items"]
    found.inherit(True)
    change = CHANGES[name]
    with unchanged(policy.factory.database):
        for asked in (found, found.trying):
            answer = asked.drop_rule(rules[0]["id"]) if name == "drop a rule" else change(asked)
            assert (answer.status_code, answer.json["code"]) == (409, "DestinationsInherited")
            assert "stop inheriting first" in answer.json["message"]
            assert answer.json["details"] == {"owner_workspace_id": str(policy.tenant.workspace_id)}


def test_leaving_starts_an_independent_copy(policy: PolicyClient) -> None:
    policy.put({"US": "allowed", "BR": "blocked"})
    policy.add_rule("prefix", "+1202555", "blocked", reason="an incident")
    child = policy.a_child()
    answer = child.inherit(False)
    assert answer.status_code == 200
    assert child.destinations == policy.destinations
    (copied,), (rule,) = child.get("/rules")["items"], policy.get("/rules")["items"]
    assert copied.pop("id") != rule.pop("id")
    assert copied == rule
    assert not child.reaches(US_NUMBER)

    child.drop_rule(child.get("/rules")["items"][0]["id"])
    policy.allow("BR")
    assert child.reaches(US_NUMBER)
    assert not child.reaches(BR_NUMBER)
    assert not policy.reaches(US_NUMBER)
    assert policy.reaches(BR_NUMBER)


def test_the_own_policy_rests_while_inheriting_its_rules_too(policy: PolicyClient) -> None:
    child = policy.a_colleague(parent_id=policy.tenant.workspace_id, destinations={"BR": "allowed"})
    child.add_rule("number", US_NUMBER, "blocked")
    child.inherit(True)
    assert child.reaches(US_NUMBER)
    assert not child.reaches(BR_NUMBER)
    assert child.get("/rules")["items"] == []
    child.inherit(False)
    assert child.destinations == policy.destinations
    assert child.get("/rules")["items"] == []


def test_switching_is_in_the_history_with_its_changes(policy: PolicyClient) -> None:
    child = policy.a_colleague(
        parent_id=policy.tenant.workspace_id, destinations={"BR": "allowed", "US": "blocked"}
    )
    assert revision_of(child.inherit(True, X_Change_Reason="one policy for all")) == 1
    assert revision_of(child.inherit(False)) == 3
    off, on = child.history()
    assert (on["action"], on["revision"], on["inherit"]) == ("inheritance_on", 2, True)
    assert on["reason"] == "one policy for all"
    assert on["changes"] == [
        {"country": "BR", "from": "allowed", "to": None},
        {"country": "US", "from": "blocked", "to": "allowed"},
    ]
    assert on["destinations"] == {"BR": "allowed", "US": "blocked"}
    assert (off["action"], off["revision"], off["inherit"]) == ("inheritance_off", 3, False)
    assert off["changes"] == []
    assert off["destinations"] == {"US": "allowed"}
    assert policy.history() == []


def test_without_a_parent_there_is_nothing_to_inherit(policy: PolicyClient) -> None:
    with unchanged(policy.factory.database):
        answer = policy.inherit(True)
        assert (answer.status_code, set(answer.json["details"])) == (422, {"$.inherit"})
        assert policy.inherit(False).status_code == 200


def test_the_same_again_changes_nothing(policy: PolicyClient) -> None:
    child = policy.a_child()
    with unchanged(policy.factory.database):
        assert child.inherit(True).status_code == 200
    child.inherit(False)
    with unchanged(policy.factory.database):
        assert child.inherit(False).status_code == 200


@pytest.mark.both_engines
def test_a_chain_of_parents_that_is_a_loop_blocks_everything_and_can_be_left(
    policy: PolicyClient,
) -> None:
    other = policy.a_colleague()
    # What rests must not speak: not for a send, and not for a check.
    store_rule(policy.factory.database, policy.tenant, "prefix", "+1", "allowed")
    tie_a_loop(policy.factory.database, policy.tenant, other.tenant)
    for found in (policy, other):
        answer = found.ask("GET")
        assert (answer.status_code, answer.json["destinations"]) == (200, {})
        assert revision_of(answer) == 0
        assert found.get("/rules")["items"] == []
        assert not found.reaches(US_NUMBER)
        (verdict,) = found.check(US_NUMBER)
        assert (verdict["code"], verdict["revision"]) == ("DestinationBlocked", 0)
        assert found.allow("CA").status_code == 409
        assert found.trying.inherit(False).status_code == 200
    assert policy.gateway.twilio.calls == []
    assert policy.inherit(False).status_code == 200
    assert policy.destinations == {}
    assert policy.allow("US").status_code == 200
    assert other.reaches(US_NUMBER)


@pytest.mark.both_engines
def test_a_workspace_that_is_its_own_parent_blocks_everything(policy: PolicyClient) -> None:
    tie_a_loop(policy.factory.database, policy.tenant, policy.tenant)
    assert not policy.reaches(US_NUMBER)
    assert policy.trying.inherit(False).json["impact"]["would_block"] == []


def test_a_chain_is_followed_far_but_not_for_ever(policy: PolicyClient) -> None:
    above, found = policy.tenant.workspace_id, []
    for _ in range(34):
        child = policy.a_colleague(parent_id=above, inherits=True, name=str(new_id()))
        above = child.tenant.workspace_id
        found.append(child)
    assert found[30].reaches(US_NUMBER)
    assert not found[33].reaches(US_NUMBER)


@pytest.mark.both_engines
def test_removing_the_parent_blocks_everything(policy: PolicyClient) -> None:
    child = policy.a_child()
    policy.factory.set(workspaces, child.tenant.workspace_id, parent_id=None)
    assert not child.reaches(US_NUMBER)
    assert child.destinations == {}
