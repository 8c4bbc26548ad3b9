"""`destinations rule`, `inherit` and `restore`."""

from collections.abc import Callable

import pytest

from app.db.engine import Database
from app.destinations.tables import destination_revisions
from support.commands import Commands
from support.factories import US_NUMBER, Factory, Gateway, Tenant
from support.tables import snapshot

pytestmark = pytest.mark.one_engine

NOW = "2030-01-01T00:00:00.000Z"
ABSENT = "00000000-0000-4000-8000-000000000001"


def test_a_prefix_is_blocked_in_one_command_and_freed_by_its_value(
    destinations: Commands, gateway: Gateway, tenant: Tenant
) -> None:
    assert destinations.lines(
        "rule", "add", "prefix", "+1202", "blocked", "--reason", "incident"
    ) == ["Retail: revision 2", "+ rule: prefix +1202 blocked (incident)"]
    refused = gateway.send(tenant, to=US_NUMBER).json
    assert (refused["code"], refused["details"]["rule"]) == ("DestinationBlocked", "prefix")
    assert destinations.lines("rule", "remove", "+1202") == [
        "Retail: revision 3",
        "- rule: prefix +1202 blocked (incident)",
    ]
    assert gateway.send(tenant, to=US_NUMBER).status_code == 201


def test_rules_are_listed_the_oldest_first_with_their_end(
    destinations: Commands, at: Callable[[str], None]
) -> None:
    assert destinations.lines("rule", "list") == ["no rules"]
    at(NOW)
    destinations("rule", "add", "prefix", "+44", "allowed", "--for", "1h", "--reason", "trial")
    destinations("rule", "add", "country", "FR", "blocked")
    made = destinations.json("rule", "add", "number", US_NUMBER, "allowed")
    found = destinations.json("rule", "list")
    assert found["revision"] == 4
    assert found["items"][2] == made["rule"]
    assert found["items"][0] | {"id": None} == {
        "id": None,
        "kind": "prefix",
        "value": "+44",
        "action": "allowed",
        "reason": "trial",
        "expires_at": "2030-01-01T01:00:00.000Z",
        "created_at": NOW,
    }
    at("2030-01-01T01:00:00Z")
    assert [line.split("  ", 1)[1] for line in destinations.lines("rule", "list")] == [
        "prefix   +44           allowed  expired 2030-01-01T01:00:00.000Z  trial",
        "country  FR            blocked",
        f"number   {US_NUMBER}  allowed",
    ]


def test_a_rule_to_remove_must_be_one(destinations: Commands) -> None:
    for unknown in (ABSENT, "+44"):
        assert destinations.errors("rule", "remove", unknown) == [
            f"error: there is no rule {unknown}"
        ]
    number = destinations.json("rule", "add", "number", US_NUMBER, "allowed")["rule"]["id"]
    prefix = destinations.json("rule", "add", "prefix", US_NUMBER, "blocked")["rule"]["id"]
    assert destinations.errors("rule", "remove", US_NUMBER) == [
        f"error: several rules are about {US_NUMBER}: give the id, one of {number}, {prefix}"
    ]
    destinations("rule", "remove", prefix)
    assert [rule["id"] for rule in destinations.json("rule", "list")["items"]] == [number]


def test_a_child_follows_its_parent_and_leaves_with_a_copy(
    destinations: Commands, tenant: Tenant, factory: Factory
) -> None:
    child = factory.tenant(
        tenant.organization_id, "Child", parent_id=tenant.workspace_id, destinations={}
    )
    parent, own = ("--workspace", str(tenant.workspace_id)), ("--workspace", "Child")
    destinations("rule", "add", "prefix", "+44", "blocked", *parent)
    assert destinations.lines("inherit", "on", *own) == [
        "Child: revision 2",
        "+ US United States: allowed",
        "+ rule: prefix +44 blocked",
    ]
    assert destinations.lines("inherit", "on", *own) == ["Child: nothing to change, revision 2"]
    destinations("allow", "CA", *parent)
    found = destinations.json("list", *own)
    assert (found["inherit"], found["reachable"]) == (True, ["CA", "US"])
    assert found["owner"] == {"id": str(tenant.workspace_id), "name": "Retail"}
    assert destinations.lines("list", *own)[0].startswith(
        "Child: inherited from Retail policy, revision 3"
    )
    (line,) = destinations.lines("inherit", "off", *own)
    assert line == "Child: revision 4"  # above the one that was inherited
    destinations("block", "CA", *parent)
    assert destinations.json("list", *own)["reachable"] == ["CA", "US"]
    made = factory.rows(destination_revisions, workspace_id=child.workspace_id)
    assert {r["action"] for r in made} == {"inheritance_on", "inheritance_off"}


def test_an_earlier_revision_is_restored_as_one_of_its_own(
    destinations: Commands, at: Callable[[str], None]
) -> None:
    at(NOW)
    destinations("allow", "CA")
    destinations("rule", "add", "prefix", "+1204", "blocked", "--for", "2h")
    destinations("set", "-", stdin="US,blocked")
    destinations("rule", "remove", "+1204")
    assert destinations.lines("restore", "3", "--reason", "too much") == [
        "Retail: revision 6",
        "+ CA Canada: allowed",
        "~ US United States: blocked -> allowed",
        "+ rule: prefix +1204 blocked until 2030-01-01T02:00:00.000Z",
    ]
    at("2030-01-01T02:00:00Z")
    destinations("restore", "2")
    assert destinations.json("restore", "3")["rules"] == {"added": [], "removed": []}
    assert destinations.errors("restore", "99") == ["error: Retail has no revision 99"]


def test_a_stale_revision_stops_each_of_them(destinations: Commands, database: Database) -> None:
    destinations("allow", "CA")
    rule = destinations.json("rule", "add", "prefix", "+44", "blocked")["rule"]["id"]
    before = snapshot(database)
    for command in (
        ["rule", "add", "prefix", "+45", "blocked"],
        ["rule", "remove", rule],
        ["restore", "2"],
        ["inherit", "on"],
    ):
        assert destinations.errors(*command, "--if-match", "2") == [
            "error: the current revision is 3, not 2: nothing was changed"
        ]
    assert snapshot(database) == before


def test_rules_about_another_spelling_are_refused_and_the_canonical_form_is_named(
    destinations: Commands,
) -> None:
    assert destinations.errors("rule", "add", "number", "+112025550123", "blocked") == [
        "error: $.value: +112025550123 is not in canonical form; use +12025550123."
    ]
    assert destinations.errors("rule", "add", "prefix", "+4407", "blocked") == [
        "error: $.value: No phone number in canonical form begins with +4407; use +447."
    ]
    late = ("prefix", "+44", "blocked", "--until", "2001-01-01T00:00:00Z")
    assert destinations.errors("rule", "add", *late) == ["error: $.expires_at: Has already passed."]
    assert destinations.lines("rule", "list") == ["no rules"]
    (line,) = destinations.lines("check", "+112025550123")
    assert "InvalidDestination" in line
    assert "not in canonical form; use +12025550123" in line
    (verdict,) = destinations.json("check", "+112025550123")["verdicts"]
    assert (verdict["canonical"], verdict["allowed"]) == ("+12025550123", False)
