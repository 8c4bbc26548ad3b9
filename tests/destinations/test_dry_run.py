"""A dry run says what a change would do, and does nothing."""

from typing import Any

import pytest

from support.destinations import CHANGES, KEYS, PolicyClient, prepared, revision_of
from support.tables import unchanged

pytestmark = pytest.mark.one_engine

DRY_KEYS = {"dry_run", "revision", "configuration", "changes", "impact"}


@pytest.mark.parametrize("name", CHANGES)
def test_a_dry_run_predicts_the_change_and_writes_nothing(policy: PolicyClient, name: str) -> None:
    found = prepared(policy)
    policy.put({"US": "blocked", "JP": "allowed"})
    with unchanged(policy.factory.database):
        answer = CHANGES[name](found.trying)
        again = CHANGES[name](found.trying, If_Match='"3"', X_Change_Reason="only asking")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert again.json == answer.json
    assert revision_of(answer) == found.revision == 3
    outcome = answer.json
    assert set(outcome) == DRY_KEYS
    assert (outcome["dry_run"], outcome["revision"]) == (True, 3)
    assert set(outcome["configuration"]) == KEYS
    assert set(outcome["impact"]) == {"days", "would_block", "would_release"}
    assert outcome["impact"]["days"] == 30

    assert CHANGES[name](found).status_code < 300
    after = found.get()
    assert outcome["configuration"] == after | {"updatedAt": outcome["configuration"]["updatedAt"]}
    assert outcome["changes"] == found.history()[0]["changes"]


def test_a_dry_run_of_leaving_the_parent_predicts_the_copy(policy: PolicyClient) -> None:
    child = policy.a_child()
    with unchanged(policy.factory.database):
        answer = child.trying.inherit(False)
    assert answer.json["changes"] == []
    assert answer.json["configuration"]["destinations"] == policy.destinations
    assert answer.json["revision"] == 1


def test_a_dry_run_of_nothing_is_empty(policy: PolicyClient) -> None:
    child = policy.a_child()
    with unchanged(policy.factory.database):
        for answer in (
            policy.trying.allow("US"),
            policy.trying.put({"US": "allowed"}),
            child.trying.inherit(True),
        ):
            assert answer.json["changes"] == []
            assert answer.json["impact"] == {"days": 30, "would_block": [], "would_release": []}


def test_a_dry_run_is_refused_where_the_change_would_be(policy: PolicyClient) -> None:
    child, trying = policy.a_child(), policy.trying
    refused = [
        (trying.allow("ZZ"), 422),
        (trying.put({"us": "allowed"}), 422),
        (trying.add_rule("prefix", "1", "blocked"), 422),
        (trying.inherit(True), 422),
        (trying.restore(9), 404),
        (trying.drop_rule(str(policy.tenant.workspace_id)), 404),
        (trying.allow("CA", If_Match='"9"'), 412),
        (child.trying.allow("CA"), 409),
    ]
    assert [answer.status_code for answer, _ in refused] == [status for _, status in refused]


@pytest.mark.parametrize("value", ["perhaps", "", "2", "true&dry_run=false"])
def test_a_malformed_dry_run_parameter_changes_nothing(policy: PolicyClient, value: str) -> None:
    bodies: list[tuple[str, str, Any]] = [
        ("PUT", "", {"destinations": {}}),
        ("POST", "/allow", {"destinations": ["CA"]}),
        ("POST", "/block", {"destinations": ["US"]}),
        ("POST", "/rules", {"kind": "prefix", "value": "+1", "action": "blocked"}),
        ("PUT", "/inheritance", {"inherit": False}),
        ("POST", "/history/1/restore", None),
    ]
    with unchanged(policy.factory.database):
        for method, below, body in bodies:
            answer = policy.ask(method, f"{below}?dry_run={value}", body)
            assert (answer.status_code, set(answer.json["details"])) == (422, {"$.dry_run"})


@pytest.mark.parametrize("value", ["false", "False", "0"])
def test_a_wish_for_no_dry_run_is_a_change(policy: PolicyClient, value: str) -> None:
    answer = policy.ask("POST", f"/allow?dry_run={value}", {"destinations": ["CA"]})
    assert set(answer.json) == KEYS
    assert policy.destinations == {"US": "allowed", "CA": "allowed"}
