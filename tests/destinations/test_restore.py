"""Going back to how the policy was: a change like any other, with a revision of its own."""

from datetime import timedelta

import pytest

from app.access.tables import organizations, workspaces
from app.kernel.clock import rfc3339
from support.destinations import Desk, revision_of
from support.each import each
from support.tables import unchanged
from support.time import ManualClock
from support.world import BR_NUMBER, US_NUMBER


def test_any_revision_can_be_restored_rules_included(desk: Desk) -> None:
    desk.put({"BR": "allowed", "US": "blocked"})
    rule = desk.add_rule("number", BR_NUMBER, "blocked", reason="asked us to").json
    desk.drop_rule(rule["id"])
    desk.put({"US": "allowed"})
    assert not desk.reaches(BR_NUMBER)

    answer = desk.restore(2, X_Change_Reason="the incident is over")
    assert (answer.status_code, revision_of(answer)) == (200, 6)
    assert answer.json == desk.get()
    assert desk.destinations == {"BR": "allowed", "US": "blocked"}
    assert desk.reaches(BR_NUMBER)
    assert not desk.reaches(US_NUMBER)

    assert revision_of(desk.restore(3)) == 7
    assert desk.get("/rules")["items"] == [rule]
    assert not desk.reaches(BR_NUMBER)
    assert revision_of(desk.restore(6)) == 8
    assert desk.reaches(BR_NUMBER)
    newest = desk.history()[2]
    assert (newest["action"], newest["revision"], newest["from_revision"]) == ("restored", 6, 5)
    assert newest["reason"] == "the incident is over"
    assert newest["changes"] == [
        {"country": "BR", "from": None, "to": "allowed"},
        {"country": "US", "from": "allowed", "to": "blocked"},
    ]


def test_rules_that_have_expired_since_stay_away(timed_desk: Desk, clock: ManualClock) -> None:
    soon = rfc3339(clock.at + timedelta(hours=1))
    timed_desk.allow_until(soon, "BR")
    timed_desk.add_rule("prefix", "+1202", "blocked")
    timed_desk.put({})
    assert [rule["value"] for rule in timed_desk.get("/rules")["items"]] == ["+1202"]
    assert timed_desk.restore(3).status_code == 200
    assert [rule["value"] for rule in timed_desk.get("/rules")["items"]] == ["BR", "+1202"]
    timed_desk.put({})
    clock.advance(3600)
    assert timed_desk.restore(3).status_code == 200
    assert [rule["value"] for rule in timed_desk.get("/rules")["items"]] == ["+1202"]
    assert not timed_desk.reaches(BR_NUMBER)


def test_what_the_organization_denies_by_now_stays_denied(desk: Desk) -> None:
    desk.allow("BR")
    desk.put({"US": "allowed"})
    desk.world.set(organizations, desk.tenant.organization_id, denied_destinations=["BR"])
    assert desk.restore(2).status_code == 200
    assert desk.destinations == {"US": "allowed", "BR": "allowed"}
    (verdict,) = desk.check(BR_NUMBER)
    assert (verdict["allowed"], verdict["scope"]) == (False, "organization")
    assert not desk.reaches(BR_NUMBER)


def test_a_revision_at_which_the_workspace_inherited_is_restored_as_such(desk: Desk) -> None:
    child = desk.a_colleague(parent_id=desk.tenant.workspace_id, destinations={"BR": "allowed"})
    child.inherit(True)
    child.inherit(False)
    child.block("US")
    assert child.restore(2).status_code == 200
    assert child.get("/inheritance")["inherit"] is True
    assert child.reaches(US_NUMBER)
    desk.block("US")
    assert not child.reaches(US_NUMBER)


def test_without_a_parent_by_now_a_restored_workspace_decides_alone(desk: Desk) -> None:
    child = desk.a_colleague(parent_id=desk.tenant.workspace_id, destinations={"BR": "allowed"})
    child.inherit(True)
    child.inherit(False)
    desk.world.set(workspaces, child.tenant.workspace_id, parent_id=None)
    assert child.restore(2).status_code == 200
    assert child.get("/inheritance")["inherit"] is False
    assert child.destinations == {"BR": "allowed"}


def test_a_workspace_that_inherits_is_not_restored(desk: Desk) -> None:
    child = desk.a_colleague(parent_id=desk.tenant.workspace_id)
    child.allow("CA")
    child.inherit(True)
    with unchanged(desk.world.database):
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
    desk: Desk, revision: str, status: int
) -> None:
    with unchanged(desk.world.database):
        assert desk.restore(revision).status_code == status
