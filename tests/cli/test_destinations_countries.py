"""`destinations allow` and `block`: what they change, what they say, and what they refuse."""

import json
import os
import pwd
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from app.access.tables import organizations, workspaces
from app.db.engine import Database
from app.destinations.changes import OPENS_HIGH_RISK
from app.destinations.tables import destination_revisions, destination_rules
from support.commands import Commands, Run
from support.each import each
from support.factories import Factory, Gateway, Tenant
from support.geo import store
from support.tables import snapshot, unchanged

pytestmark = pytest.mark.one_engine

NOW = "2030-01-01T00:00:00.000Z"


def policy(destinations: Commands) -> Any:
    return destinations.json("list")


def test_allowed_and_blocked_countries_are_in_the_map(destinations: Commands) -> None:
    assert destinations.lines("allow", "CA", "MX") == [
        "Retail: revision 2",
        "+ CA Canada: allowed",
        "+ MX Mexico: allowed",
    ]
    assert destinations.lines("block", "CA", "BR") == [
        "Retail: revision 3",
        "+ BR Brazil: blocked",
        "~ CA Canada: allowed -> blocked",
    ]
    found = policy(destinations)
    expected = {"BR": "blocked", "CA": "blocked", "MX": "allowed", "US": "allowed"}
    assert (found["destinations"], found["reachable"]) == (expected, ["MX", "US"])


def test_the_history_names_the_user_of_this_machine_and_the_reason(
    destinations: Commands, factory: Factory
) -> None:
    destinations("allow", "CA", "--reason", "  Grüße aus Köln ")
    (row,) = factory.rows(destination_revisions)
    assert (row["actor_kind"], row["actor_id"]) == ("command_line", None)
    assert row["actor_name"] == pwd.getpwuid(os.getuid()).pw_name
    assert (row["action"], row["reason"]) == ("allowed", "Grüße aus Köln")


def test_a_user_without_a_name_is_the_command_line(
    destinations: Commands, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> Any:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setenv("LOGNAME", "somebody-else")
    destinations("allow", "CA")
    assert factory.rows(destination_revisions)[0]["actor_name"] == "command line"


def test_a_change_for_programs_has_the_shape_of_the_api(
    destinations: Commands, tenant: Tenant
) -> None:
    found = destinations.json("block", "US", "--reason", "over")
    configuration = found.pop("configuration")
    assert configuration.pop("createdAt") < configuration.pop("updatedAt")
    assert configuration == {
        "organizationId": str(tenant.organization_id),
        "workspaceId": str(tenant.workspace_id),
        "capabilityName": "sms",
        "destinations": {"US": "blocked"},
    }
    assert found == {
        "dry_run": False,
        "revision": 2,
        "inherit": False,
        "changes": [{"country": "US", "from": "allowed", "to": "blocked"}],
        "rules": {"added": [], "removed": []},
        "impact": None,
    }


DRY_RUNS = [
    ["allow", "FR"],
    ["allow", "FR", "--for", "2h"],
    ["block", "US"],
    ["rule", "add", "prefix", "+1202", "blocked"],
    ["rule", "remove", "+44"],
    ["inherit", "on"],
    ["restore", "2"],
    ["set", "-"],
    ["import", "-"],
]


@pytest.fixture
def with_parent(factory: Factory, tenant: Tenant, destinations: Commands) -> Tenant:
    """A workspace with a parent and a rule, at revision 3."""
    factory.set(workspaces, tenant.workspace_id, name="Parent")
    child = factory.tenant(tenant.organization_id, "Child", parent_id=tenant.workspace_id)
    destinations("allow", "CA", "--workspace", "Child")
    destinations("rule", "add", "prefix", "+44", "blocked", "--workspace", "Child")
    return child


@pytest.mark.parametrize("arguments", DRY_RUNS, ids=" ".join)
def test_a_dry_run_writes_nothing(
    destinations: Commands, with_parent: Tenant, database: Database, arguments: list[str]
) -> None:
    before = snapshot(database)
    options = ["--workspace", "Child", "--if-match", "3", "--reason", "why"]
    stdin = '{"destinations": {"FR": "allowed"}}'
    (first, *_) = destinations.lines(*arguments, "--dry-run", *options, stdin=stdin)
    assert first.startswith("Child: dry run, nothing was changed, revision")
    found = destinations.json(*arguments, "--dry-run", *options, stdin=stdin)
    assert found["dry_run"] is True
    assert snapshot(database) == before
    done = destinations.json(*arguments, *options, stdin=stdin)
    assert snapshot(database) != before
    assert {**done, "dry_run": True}.keys() == found.keys()
    assert (done["changes"], done["inherit"]) == (found["changes"], found["inherit"])


def test_dry_run_shows_its_effect_on_the_traffic(
    destinations: Commands, gateway: Gateway, tenant: Tenant
) -> None:
    for _ in range(3):
        assert gateway.send(tenant, message="x" * 200).status_code == 201
    for _ in range(2):
        assert gateway.send(tenant, to="+16135550123").status_code == 422
    assert destinations.lines("block", "US", "--dry-run") == [
        "Retail: dry run, nothing was changed, revision 1",
        "~ US United States: allowed -> blocked",
        "of the last 30 days:",
        "  would have been blocked: US United States, 3 messages (6 segments)",
    ]
    assert destinations.lines("allow", "CA", "--dry-run")[2:] == [
        "of the last 30 days:",
        "  would have been sent: CA Canada, 2 refused sends",
    ]
    assert destinations.lines("allow", "MX", "--dry-run")[-1] == (
        "  no message of the last 30 days would be affected"
    )
    found = destinations.json("block", "US", "--dry-run")
    assert (found["dry_run"], found["revision"]) == (True, 1)
    assert found["impact"] == {
        "days": 30,
        "would_block": [{"country": "US", "messages": 3, "segments": 6}],
        "would_release": [],
    }


def test_a_stale_revision_changes_nothing(destinations: Commands, database: Database) -> None:
    destinations("allow", "CA", "--if-match", "1")
    before = snapshot(database)
    assert destinations.errors("allow", "MX", "--if-match", "1") == [
        "error: the current revision is 2, not 1: nothing was changed"
    ]
    assert snapshot(database) == before


def test_every_problem_is_reported_with_its_path_and_nothing_changes(
    destinations: Commands, tenant: Tenant, factory: Factory, database: Database
) -> None:
    factory.set(organizations, tenant.organization_id, denied_destinations=["KP"])
    before = snapshot(database)
    wrong = "Must be an ISO 3166-1 alpha-2 country code in upper case."
    denied = "The organization denies this destination; a workspace cannot allow it."
    assert destinations.errors("allow", "us", "CA", "KP", "--until", "2001-01-01T00:00:00Z") == [
        "error: $.until: Has already passed.",
        f"error: $.destinations[0]: {wrong}",
        f"error: $.destinations[2]: {denied}",
    ]
    assert destinations.errors("block", "ZZ") == [f"error: $.destinations[0]: {wrong}"]
    assert snapshot(database) == before


def test_an_allowance_for_a_time_is_a_rule_that_ends_by_itself(
    destinations: Commands, factory: Factory, at: Callable[[str], None]
) -> None:
    at(NOW)
    assert destinations.lines("allow", "MX", "--for", "2h", "--reason", "trade fair") == [
        "Retail: revision 2",
        "+ MX Mexico: allowed",
        "+ rule: country MX allowed until 2030-01-01T02:00:00.000Z (trade fair)",
    ]
    destinations("allow", "CA", "--until", "2030-01-01T12:00:00+01:00")
    assert policy(destinations)["reachable"] == ["CA", "MX", "US"]
    assert policy(destinations)["destinations"] == {"US": "allowed"}
    at("2030-01-01T02:00:00Z")
    assert policy(destinations)["reachable"] == ["CA", "US"]
    rules = {row["value"]: row["reason"] for row in factory.rows(destination_rules)}
    assert rules == {"MX": "trade fair", "CA": None}


def test_allow_names_separate_territories(destinations: Commands) -> None:
    assert destinations.lines("allow", "US", "NO", "PR", "AQ")[-3:] == [
        "US is allowed; GU, VI, AS, MP are separate: allow them by name",
        "NO is allowed; SJ is separate: allow it by name",
        "AQ Antarctica has no phone numbers: nothing can be sent there",
    ]
    assert destinations.lines("allow", "US", "SJ", "--dry-run")[-1] == (
        "US would be allowed; GU, VI, AS, MP are separate: allow them by name"
    )
    found = destinations.json("allow", "US", "AQ", "CU")
    assert found["separate"] == {"US": ["GU", "VI", "AS", "MP"]}
    assert (found["without_numbers"], found["unsupported"]) == (["AQ"], ["CU"])


def test_allow_warns_about_countries_closed_at_twilio(
    destinations: Commands, factory: Factory
) -> None:
    store(factory.database, MX=False, CA=True)
    assert destinations.lines("allow", "MX", "CA", "CU")[-2:] == [
        "CU Cuba: not supported by Twilio",
        "MX Mexico is blocked at Twilio (last check): see `borderpost geo check`",
    ]
    assert destinations.json("allow", "MX", "CA", "CU")["closed_at_provider"] == ["MX"]


def test_a_high_risk_country_wants_an_acknowledgement_by_name(
    destinations: Commands, tenant: Tenant, factory: Factory, database: Database
) -> None:
    store(factory.database, high_risk=("PK", "LK"), PK=False, LK=True)
    factory.set(workspaces, tenant.workspace_id, acknowledges_high_risk=True)
    before = snapshot(database)
    wanted = "The provider calls this country high-risk: name it in acknowledge_high_risk."
    risky = ("allow", "CA", "PK", "LK")
    assert destinations.errors(*risky, "--acknowledge-high-risk", "LK") == [
        f"error: $.destinations[1]: {wanted}"
    ]
    assert destinations.errors("allow", "PK", "--for", "1h") == [
        f"error: $.destinations[0]: {wanted}"
    ]
    stdin = '{"destinations": {"PK": "allowed"}}'
    for command in ("set", "import"):
        assert destinations.errors(command, "-", stdin=stdin) == [
            f"error: $.destinations.PK: {wanted}"
        ]
    prefixes = [{"kind": "prefix", "value": value, "action": "allowed"} for value in ("+44", "+92")]
    stdin = json.dumps({"destinations": {"US": "allowed"}, "rules": prefixes})
    assert destinations.errors("import", "-", stdin=stdin) == [
        f"error: $.rules[1].value: {OPENS_HIGH_RISK.format('PK')}"
    ]
    assert destinations("diff", "-", stdin=stdin, exits=2).stdout
    assert snapshot(database) == before
    acknowledged = ("--acknowledge-high-risk", "LK", "--acknowledge-high-risk", "PK")
    destinations(*risky, *acknowledged)
    assert policy(destinations)["reachable"] == ["CA", "LK", "PK", "US"]


def test_an_inherited_policy_is_changed_at_its_owner(
    destinations: Commands, tenant: Tenant, factory: Factory, database: Database
) -> None:
    factory.tenant(tenant.organization_id, "Child", parent_id=tenant.workspace_id, inherits=True)
    before = snapshot(database)
    inherited = (
        "The destinations of this workspace are inherited from its parent: change them there, "
        "or stop inheriting first."
    )
    assert destinations.errors("allow", "CA", "--workspace", "Child") == [
        f"error: {inherited}",
        "error: `borderpost destinations inherit off` leaves it, with a copy of that policy",
    ]
    assert snapshot(database) == before


def test_of_several_workspaces_one_must_be_named(
    destinations: Commands, tenant: Tenant, factory: Factory
) -> None:
    other = factory.tenant(factory.organization("Other"), "Retail")
    factory.tenant(tenant.organization_id, "Wholesale")
    for command in (["list"], ["allow", "CA"], ["export"], ["freeze", "--reason", "x"]):
        assert destinations.errors(*command) == [
            "error: there are several workspaces: name one with --workspace"
        ]
    assert destinations.errors("list", "--workspace", "Nowhere") == [
        "error: there is no workspace Nowhere"
    ]
    (ambiguous,) = destinations.errors("block", "US", "--workspace", "Retail")
    assert ambiguous.startswith("error: several workspaces are named Retail: give the id, one of ")
    destinations("block", "US", "--workspace", str(other.workspace_id))
    found = destinations.json("list", "--workspace", str(tenant.workspace_id))
    assert found["reachable"] == ["US"]


def test_before_the_first_apply_there_is_no_workspace(run: Run) -> None:
    assert Commands(run).errors("list") == [
        "error: there is no workspace yet: make one with `borderpost apply`"
    ]


# Each command with the arguments that it does not take.
WRONG_USAGE = {
    "": ["", "forget"],
    "allow": ["", "CA --for soon", "CA --until 2030-01-01", "CA --if-match x", "CA --if-match -1"],
    "allow CA --until 2030-01-01T00:00:00Z": ["--for 1h"],
    "allow CA --reason": ["''", "x" * 501, "\udcff"],
    "block": ["", "CA --for 2h"],
    "rule": ["", "add prefix +44", "add area +44 blocked", "add prefix +44 shut", "remove"],
    "set": [""],
    "import": [""],
    "diff": [""],
    "export": ["--format xml"],
    "restore": ["", "0", "9999999999"],
    "inherit": ["", "maybe"],
    "check": ["", "+44 --use-case x"],
    "history": ["--csv --json", "--limit 0"],
    "refusals": ["--limit 0", "--code Nope", "--country uk"],
    "suspend": [""],
    "freeze": ["", "--reason ' '"],
    "thaw": [""],
}
LINES = [f"{command} {wrong}" for command, all_wrong in WRONG_USAGE.items() for wrong in all_wrong]


@each("line", LINES)
def test_wrong_usage_exits_64(destinations: Commands, database: Database, line: str) -> None:
    with unchanged(database):
        errors = destinations.errors(*shlex.split(line), exits=64)
    assert any("Usage:" in error for error in errors)
