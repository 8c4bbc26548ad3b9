"""`destinations list`, `history`, `check`, `refusals`, `freeze` and `thaw`."""

import csv
import io
import os
import pwd
from collections.abc import Callable

import pytest

from app.access.tables import audit_events, organizations
from app.db.engine import Database
from support.commands import Commands
from support.factories import BR_NUMBER, US_NUMBER, Factory, Gateway, Tenant
from support.tables import snapshot

pytestmark = pytest.mark.one_engine

NOW = "2030-01-01T00:00:00.000Z"
LATER = "2030-01-01T01:00:00.000Z"
USER = pwd.getpwuid(os.getuid()).pw_name


def test_list_shows_the_reachable_countries_with_reasons(
    destinations: Commands, tenant: Tenant, factory: Factory, at: Callable[[str], None]
) -> None:
    at(NOW)
    factory.set(organizations, tenant.organization_id, denied_destinations=["KP"])
    destinations("allow", "AQ", "CA")
    destinations("block", "BR")
    destinations("rule", "add", "prefix", "+1204", "blocked", "--reason", "incident\n7")
    destinations("allow", "MX", "--for", "1h")
    first, *rest = destinations.lines("list")
    assert first == f"Retail: own policy, revision 5, changed {NOW}"
    assert rest[:-2] == [
        "AQ Antarctica     allowed  no number belongs to it",
        "BR Brazil         blocked",
        "CA Canada         allowed",
        "KP North Korea    blocked  blocked by organization",
        "MX Mexico         allowed  by a rule",
        "US United States  allowed",
        "every other country: blocked",
        "rules (the most specific active rule wins):",
    ]
    assert [line[40:] for line in rest[-2:]] == [
        "prefix   +1204  blocked                                  incident?7",
        f"country  MX     allowed  until {LATER}",
    ]


def test_list_shows_contradicting_rules_and_denied_countries(
    destinations: Commands, tenant: Tenant, factory: Factory
) -> None:
    destinations("allow", "CA", "MX")
    destinations("rule", "add", "country", "CA", "blocked")
    factory.set(organizations, tenant.organization_id, denied_destinations=["MX"])
    assert destinations.lines("list")[1:4] == [
        "CA Canada         blocked  by a rule",
        "MX Mexico         blocked  blocked by organization",
        "US United States  allowed",
    ]
    found = destinations.json("list")
    assert (found["reachable"], found["denied_by_organization"]) == (["US"], ["MX"])
    assert found["destinations"] == {"CA": "allowed", "MX": "allowed", "US": "allowed"}


def test_programs_see_the_same(destinations: Commands, tenant: Tenant) -> None:
    found = destinations.json("list")
    assert found.pop("updated_at").endswith("Z")
    assert found == {
        "workspace": {"id": str(tenant.workspace_id), "name": "Retail"},
        "revision": 1,
        "inherit": False,
        "owner": {"id": str(tenant.workspace_id), "name": "Retail"},
        "frozen": False,
        "frozen_reason": None,
        "denied_by_organization": [],
        "reachable": ["US"],
        "destinations": {"US": "allowed"},
        "rules": [],
    }


def test_policy_that_allows_nothing_is_reported(destinations: Commands) -> None:
    destinations("set", "-", stdin="code,status\n")
    assert destinations.lines("list")[1:] == ["every country: blocked"]


@pytest.fixture
def changed(destinations: Commands, at: Callable[[str], None]) -> Commands:
    """A workspace at revision 4."""
    at(NOW)
    destinations("allow", "CA", "--reason", "=launch")
    at(LATER)
    destinations("rule", "add", "prefix", "+1204", "blocked")
    destinations("block", "BR", "CA")
    return destinations


def test_history_shows_author_time_reason_and_changes(changed: Commands) -> None:
    assert changed.lines("history") == [
        f"4  {LATER}  blocked by {USER} (command_line)",
        "    + BR Brazil: blocked",
        "    ~ CA Canada: allowed -> blocked",
        f"3  {LATER}  rule_added by {USER} (command_line)",
        "    + rule: prefix +1204 blocked",
        f"2  {NOW}  allowed by {USER} (command_line): =launch",
        "    + CA Canada: allowed",
    ]
    newest, *_, oldest = changed.json("history")["items"]
    assert (newest["revision"], newest["from_revision"], newest["at"]) == (4, 3, LATER)
    assert newest["actor"] == {"kind": "command_line", "id": None, "name": USER}
    assert oldest["reason"] == "=launch"


def test_the_history_as_csv_has_a_line_for_each_country(changed: Commands) -> None:
    rows = list(csv.DictReader(io.StringIO(changed("history", "--csv").stdout)))
    assert [(r["revision"], r["country"], r["from"], r["to"]) for r in rows] == [
        ("4", "BR", "", "blocked"),
        ("4", "CA", "allowed", "blocked"),
        ("3", "", "", ""),
        ("2", "CA", "", "allowed"),
    ]
    assert rows[-1]["reason"] == "'=launch"


def test_truncated_history_is_marked(changed: Commands) -> None:
    for form in ([], ["--csv"], ["--json"]):
        result = changed("history", "--limit", "2", *form)
        assert result.stderr == "older revisions are not shown (--limit 2)\n"
        assert changed("history", "--limit", "3", *form).stderr == ""
    assert len(changed.json("history", "--limit", "2")["items"]) == 2
    assert changed.lines("history", "--limit", "1") == changed.lines("history")[:3]


def test_without_a_change_the_history_is_empty(destinations: Commands) -> None:
    assert destinations.lines("history") == ["no changes yet"]
    assert destinations.json("history") == {"items": []}


NUMBERS = [US_NUMBER, BR_NUMBER, "+12045550123", "+870773111632", "nonsense"]


def test_check_shows_the_verdict_and_the_rule(destinations: Commands, database: Database) -> None:
    destinations("allow", "CA")
    destinations("rule", "add", "prefix", "+1204", "blocked")
    before = snapshot(database)
    assert destinations.lines("check", *NUMBERS) == [
        "+12025550123    allowed             US United States  by country of workspace, revision 3",
        "+5511961234567  DestinationBlocked  BR Brazil         by country of workspace, revision 3",
        "+12045550123    DestinationBlocked  CA Canada         by prefix of workspace, revision 3",
        "+870773111632   DestinationBlocked                    by no_country of workspace, revision 3",
        "nonsense        InvalidDestination                    not a number that can receive SMS",
    ]
    assert snapshot(database) == before


def test_a_check_agrees_with_the_api(
    destinations: Commands, gateway: Gateway, tenant: Tenant
) -> None:
    path = f"/workspaces/{tenant.workspace_id}/destination-management/capability/sms/check"
    (key,) = (key for role, key in tenant.keys.items() if role == "viewer")
    answer = gateway.post(path, {"numbers": NUMBERS}, key=key)
    assert destinations.json("check", *NUMBERS) == answer.json


def test_numbers_are_read_from_standard_input(destinations: Commands) -> None:
    stdin = f"\n{US_NUMBER} \r\n\n{BR_NUMBER}\n"
    found = destinations.json("check", "nonsense", "-", stdin=stdin)["verdicts"]
    assert [verdict["number"] for verdict in found] == ["nonsense", US_NUMBER, BR_NUMBER]
    assert destinations.json("check", "-", stdin="") == {"verdicts": []}
    assert destinations.lines("check", "-", stdin="") == []


def test_a_check_can_be_made_for_a_use_case(
    destinations: Commands, tenant: Tenant, factory: Factory
) -> None:
    limited = factory.use_case(tenant.workspace_id, allowed_destinations=["CA"])
    (verdict,) = destinations.json("check", US_NUMBER, "--use-case", str(limited))["verdicts"]
    assert (verdict["code"], verdict["scope"]) == ("DestinationBlocked", "use_case")
    elsewhere = factory.tenant(factory.organization("Other"), "Other").use_case_id
    own = ("--workspace", str(tenant.workspace_id))
    assert destinations.errors("check", US_NUMBER, "--use-case", str(elsewhere), *own) == [
        f"error: Retail has no use case {elsewhere}"
    ]


def test_unprintable_text_is_not_a_number(destinations: Commands) -> None:
    (line,) = destinations.lines("check", "+1202\x1b[2J\udcff")
    assert line.startswith("+1202?[2J?  InvalidDestination")


def test_refusals_are_listed_masked_and_counted(
    destinations: Commands, gateway: Gateway, tenant: Tenant
) -> None:
    assert destinations.lines("refusals") == ["no refused sends"]
    for number in (BR_NUMBER, BR_NUMBER, "+16135550123"):
        gateway.send(tenant, to=number)
    result = destinations("refusals")
    day = destinations.json("refusals")["counts"][0]["day"]
    head, brazil, canada, newest, *listed = result.stdout.splitlines()
    assert head == "by day, country and code, last 30 days:"
    assert brazil == f"  {day}  BR Brazil  DestinationBlocked  2"
    assert canada == f"  {day}  CA Canada  DestinationBlocked  1"
    assert newest == "latest:"
    assert [line.split()[1:4] for line in listed] == [
        ["+16*******23", "CA", "DestinationBlocked"],
        ["+55*********67", "BR", "DestinationBlocked"],
        ["+55*********67", "BR", "DestinationBlocked"],
    ]
    for number in (BR_NUMBER, "+16135550123"):
        assert number not in result.output


def test_refusals_are_filtered_and_cut(
    destinations: Commands, gateway: Gateway, tenant: Tenant
) -> None:
    for number in (BR_NUMBER, "+16135550123", "nonsense"):
        gateway.send(tenant, to=number)
    found = destinations.json("refusals", "--country", "BR")
    (item,) = found["items"]
    assert (item["number"], item["rule"], item["scope"]) == (
        "+55*********67",
        "country",
        "workspace",
    )
    assert item["use_case_id"] == str(tenant.use_case_id)
    assert len(found["counts"]) == 2
    assert len(destinations.json("refusals", "--limit", "1")["items"]) == 1
    assert destinations.json("refusals", "--after", "2999-01-01T00:00:00Z")["items"] == []
    assert destinations.json("refusals", "--before", "2001-01-01T00:00:00Z")["items"] == []
    assert destinations.json("refusals", "--code", "InvalidDestination")["items"] == []


def test_suspended_workspace_sends_nothing_until_it_is_resumed(
    destinations: Commands, gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    assert destinations.lines("suspend", "--reason", "a key leaked") == [
        "Retail is suspended: every send is refused until it is resumed"
    ]
    assert gateway.send(tenant).json["code"] == "WorkspaceSuspended"
    assert destinations.lines("list")[1].endswith("every send is refused: a key leaked")
    assert destinations.json("list")["frozen_reason"] == "a key leaked"
    checked = destinations("check", US_NUMBER)
    assert checked.stderr == "Retail is suspended: every send is refused until it is resumed\n"
    assert destinations.lines("freeze", "--reason", "again") == [
        "Retail is suspended already: every send is refused until it is resumed"
    ]
    assert destinations.lines("resume", "--reason", "revoked") == ["Retail is not suspended"]
    assert destinations.lines("thaw", "--reason", "revoked") == [
        "Retail is not suspended, nothing to resume"
    ]
    assert gateway.send(tenant).status_code == 201
    audit_trail = sorted(factory.rows(audit_events), key=lambda row: row["id"])
    assert [(d["action"], d["reason"], d["actor_kind"], d["actor_name"]) for d in audit_trail] == [
        ("workspace.frozen", "a key leaked", "command_line", USER),
        ("workspace.thawed", "revoked", "command_line", USER),
    ]


def test_programs_see_the_workspace_as_the_api_shows_it(
    destinations: Commands, tenant: Tenant, at: Callable[[str], None]
) -> None:
    at(NOW)
    frozen = destinations.json("freeze", "--reason", "leak")
    assert frozen["id"] == str(tenant.workspace_id)
    assert (frozen["frozen"], frozen["frozen_at"], frozen["frozen_reason"]) == (True, NOW, "leak")
    assert destinations.json("thaw", "--reason", "over")["frozen"] is False
