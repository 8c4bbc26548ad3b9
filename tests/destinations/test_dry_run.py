"""A dry run says what a change would do, and does nothing."""

from typing import Any

import pytest

from support.destinations import CHANGES, KEYS, Desk, prepared, revision_of
from support.tables import unchanged

DRY_KEYS = {"dry_run", "revision", "configuration", "changes", "impact"}


@pytest.mark.parametrize("name", CHANGES)
def test_a_dry_run_foretells_the_change_and_writes_nothing(desk: Desk, name: str) -> None:
    found = prepared(desk)
    desk.put({"US": "blocked", "JP": "allowed"})
    with unchanged(desk.world.database):
        answer = CHANGES[name](found.trying)
        again = CHANGES[name](found.trying, If_Match='"3"', X_Change_Reason="only asking")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert again.json == answer.json
    assert revision_of(answer) == found.revision == 3
    told = answer.json
    assert set(told) == DRY_KEYS
    assert (told["dry_run"], told["revision"]) == (True, 3)
    assert set(told["configuration"]) == KEYS
    assert set(told["impact"]) == {"days", "would_block", "would_release"}
    assert told["impact"]["days"] == 30

    assert CHANGES[name](found).status_code < 300
    after = found.get()
    assert told["configuration"] == after | {"updatedAt": told["configuration"]["updatedAt"]}
    assert told["changes"] == found.history()[0]["changes"]


def test_a_dry_run_of_leaving_the_parent_foretells_the_copy(desk: Desk) -> None:
    child = desk.a_child()
    with unchanged(desk.world.database):
        answer = child.trying.inherit(False)
    assert answer.json["changes"] == []
    assert answer.json["configuration"]["destinations"] == desk.destinations
    assert answer.json["revision"] == 1


def test_a_dry_run_of_nothing_is_empty(desk: Desk) -> None:
    child = desk.a_child()
    with unchanged(desk.world.database):
        for answer in (
            desk.trying.allow("US"),
            desk.trying.put({"US": "allowed"}),
            child.trying.inherit(True),
        ):
            assert answer.json["changes"] == []
            assert answer.json["impact"] == {"days": 30, "would_block": [], "would_release": []}


def test_a_dry_run_is_refused_where_the_change_would_be(desk: Desk) -> None:
    child, trying = desk.a_child(), desk.trying
    refused = [
        (trying.allow("ZZ"), 422),
        (trying.put({"us": "allowed"}), 422),
        (trying.add_rule("prefix", "1", "blocked"), 422),
        (trying.inherit(True), 422),
        (trying.restore(9), 404),
        (trying.drop_rule(str(desk.tenant.workspace_id)), 404),
        (trying.allow("CA", If_Match='"9"'), 412),
        (child.trying.allow("CA"), 409),
    ]
    assert [answer.status_code for answer, _ in refused] == [status for _, status in refused]


@pytest.mark.parametrize("value", ["perhaps", "", "2", "true&dry_run=false"])
def test_a_garbled_wish_for_a_dry_run_changes_nothing(desk: Desk, value: str) -> None:
    bodies: list[tuple[str, str, Any]] = [
        ("PUT", "", {"destinations": {}}),
        ("POST", "/allow", {"destinations": ["CA"]}),
        ("POST", "/block", {"destinations": ["US"]}),
        ("POST", "/rules", {"kind": "prefix", "value": "+1", "action": "blocked"}),
        ("PUT", "/inheritance", {"inherit": False}),
        ("POST", "/history/1/restore", None),
    ]
    with unchanged(desk.world.database):
        for method, below, body in bodies:
            answer = desk.ask(method, f"{below}?dry_run={value}", body)
            assert (answer.status_code, set(answer.json["details"])) == (422, {"$.dry_run"})


@pytest.mark.parametrize("value", ["false", "False", "0"])
def test_a_wish_for_no_dry_run_is_a_change(desk: Desk, value: str) -> None:
    answer = desk.ask("POST", f"/allow?dry_run={value}", {"destinations": ["CA"]})
    assert set(answer.json) == KEYS
    assert desk.destinations == {"US": "allowed", "CA": "allowed"}
