"""Applying a file writes policies through the one door: revisions, history, rules, inheritance."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Actor, ActorKind
from app.db.encryption import Cipher
from app.db.engine import Database
from app.destinations import changes
from app.destinations.manage import ChangeRequest, ManageDestinations
from app.destinations.policy.evaluate import Access, Rule, RuleKind
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable, ValidationFailed
from app.kernel.ids import new_id
from app.messages.history import MessageTraffic
from app.provisioning.apply import plan
from support.geo import store
from support.provisioning import Apply, File, Rows

pytestmark = pytest.mark.one_engine

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BEFORE = NOW - timedelta(seconds=1)
LATER = datetime(2030, 1, 2, tzinfo=UTC)
TOKEN = "0123456789abcdef0123456789abcdef"
PREFIX = Rule(new_id(), RuleKind.PREFIX, "+23276", Access.BLOCKED, None, "incident", NOW)
TRIAL = Rule(new_id(), RuleKind.COUNTRY, "FR", Access.ALLOWED, LATER, "trial", NOW)
CLOSED = Rule(new_id(), RuleKind.COUNTRY, "US", Access.BLOCKED, LATER, "incident", NOW)
SPENT = Rule(new_id(), RuleKind.COUNTRY, "DE", Access.ALLOWED, NOW, "trial", NOW)


def retail(**fields: Any) -> dict[str, Any]:
    return {"organization": {"name": "Acme"}, "workspaces": [{"name": "Retail"} | fields]}


def outlet(**fields: Any) -> dict[str, Any]:
    return {"organization": {"name": "Acme"}, "workspaces": [{"name": "Outlet"} | fields]}


@pytest.fixture
def manage(database: Database) -> Callable[..., Any]:
    """Changes a policy by another door, a moment before `NOW`."""
    operation = ManageDestinations(database, Clock(lambda: BEFORE), MessageTraffic())
    asked = ChangeRequest(Actor(ActorKind.USER, "Ada"))

    def run(workspace_id: UUID, change: Any) -> Any:
        return operation(workspace_id, change, asked)

    return run


@pytest.fixture
def planned(database: Database, cipher: Cipher) -> Callable[..., list[str]]:
    """Tells what applying would change."""

    def run(data: object, at: datetime = NOW) -> list[str]:
        found = plan(database, cipher, data, environ={"RETAIL_TOKEN": TOKEN}, now=at)
        return [str(change) for change in found]

    return run


@pytest.fixture
def ids(file: File, applied: Apply, rows: Rows) -> dict[str, UUID]:
    """The workspaces of the file, applied once: Retail, and Outlet that inherits from it."""
    applied(file)
    return {row["name"]: row["id"] for row in rows("workspaces")}


def rule_values(rows: Rows, workspace_id: UUID) -> set[tuple[str, str]]:
    found = rows("destination_rules")
    return {(r["kind"], r["value"]) for r in found if r["workspace_id"] == workspace_id}


def test_a_first_policy_is_revision_one_of_its_history(ids: dict[str, UUID], rows: Rows) -> None:
    (policy,) = rows("destination_policies")
    (revision,) = rows("destination_revisions")
    assert (policy["workspace_id"], policy["revision"]) == (ids["Retail"], 1)
    assert revision | {"id": None} == {
        "id": None,
        "workspace_id": ids["Retail"],
        "revision": 1,
        "from_revision": None,
        "restored_revision": None,
        "at": NOW,
        "actor_kind": "provisioning",
        "actor_id": None,
        "actor_name": "borderpost apply",
        "action": "provisioned",
        "reason": None,
        "inherits": False,
        "destinations": {"US": "allowed", "CA": "allowed", "BR": "blocked"},
        "rules": [],
        "changes": [
            {"country": "BR", "from": None, "to": "blocked"},
            {"country": "CA", "from": None, "to": "allowed"},
            {"country": "US", "from": None, "to": "allowed"},
        ],
    }


@pytest.mark.parametrize("given", [{}, {"destinations": {}}], ids=["home", "empty"])
def test_every_first_policy_has_its_history(given: Any, applied: Apply, rows: Rows) -> None:
    applied(retail(home_country="GB", **given))
    (revision,) = rows("destination_revisions")
    expected = {} if given else {"GB": "allowed"}
    assert (revision["revision"], revision["destinations"]) == (1, expected)


def test_a_changed_map_is_in_the_history_with_its_changes(
    ids: dict[str, UUID], applied: Apply, rows: Rows
) -> None:
    again = {"CA": "blocked", "MX": "allowed", "US": "allowed"}
    applied(retail(destinations=again), at=LATER)
    _, revision = sorted(rows("destination_revisions"), key=lambda row: row["revision"])
    assert (revision["revision"], revision["from_revision"], revision["at"]) == (2, 1, LATER)
    assert revision["changes"] == [
        {"country": "BR", "from": "blocked", "to": None},
        {"country": "CA", "from": "allowed", "to": "blocked"},
        {"country": "MX", "from": None, "to": "allowed"},
    ]


def test_finer_rules_stay_and_contradicting_country_rules_go(
    ids: dict[str, UUID], manage: Any, applied: Apply, rows: Rows
) -> None:
    for rule in (PREFIX, TRIAL, CLOSED):
        manage(ids["Retail"], changes.AddRule(rule))
    wanted = {"US": "allowed", "CA": "allowed", "BR": "blocked", "GB": "allowed"}
    applied(retail(destinations=wanted))
    assert rule_values(rows, ids["Retail"]) == {("prefix", "+23276")}
    last = max(rows("destination_revisions"), key=lambda row: row["revision"])
    assert last["revision"] == 5
    assert last["changes"] == [
        {"country": "FR", "from": "allowed", "to": None},
        {"country": "GB", "from": None, "to": "allowed"},
        {"country": "US", "from": "blocked", "to": "allowed"},
    ]


def test_a_country_opened_by_a_rule_against_the_file_is_closed(
    ids: dict[str, UUID], file: File, manage: Any, planned: Any, applied: Apply
) -> None:
    manage(ids["Retail"], changes.AddRule(TRIAL))
    assert planned(file) == ["- workspaces[0].destinations.FR: allowed"]
    assert [str(change) for change in applied(file).changes] == [
        "- workspaces[0].destinations.FR: allowed"
    ]
    assert planned(file) == []


def test_a_rule_that_expired_is_no_difference(
    ids: dict[str, UUID], file: File, manage: Any, planned: Any, rows: Rows
) -> None:
    manage(ids["Retail"], changes.AddRule(SPENT))
    assert rule_values(rows, ids["Retail"]) == {("country", "DE")}
    assert planned(file, at=SPENT.expires_at) == []


def test_a_temporary_allowance_made_lasting_is_a_change_of_the_map(
    ids: dict[str, UUID], file: File, manage: Any, planned: Any, applied: Apply
) -> None:
    manage(ids["Retail"], changes.AddRule(TRIAL))
    file["workspaces"][0]["destinations"]["FR"] = "allowed"
    assert planned(file) == ["+ workspaces[0].destinations.FR: allowed"]
    applied(file)
    assert planned(file) == []


def test_leaving_the_inheritance_is_one_revision_with_copies_of_the_finer_rules(
    ids: dict[str, UUID], manage: Any, planned: Any, applied: Apply, rows: Rows
) -> None:
    manage(ids["Retail"], changes.AddRule(PREFIX))
    wanted = outlet(destinations={"CA": "allowed", "MX": "allowed"})
    assert planned(wanted) == [
        "~ workspaces[0].inherits_destinations: true -> false",
        "- workspaces[0].destinations.BR: blocked",
        "+ workspaces[0].destinations.MX: allowed",
        "- workspaces[0].destinations.US: allowed",
    ]
    applied(wanted)
    assert planned(wanted) == []
    own = [r for r in rows("destination_revisions") if r["workspace_id"] == ids["Outlet"]]
    # Above the revision that was inherited, as every door counts.
    assert [(r["revision"], r["inherits"], r["action"]) for r in own] == [(3, False, "provisioned")]
    assert [change["country"] for change in own[0]["changes"]] == ["BR", "MX", "US"]
    assert rule_values(rows, ids["Outlet"]) == {("prefix", "+23276")}
    assert rule_values(rows, ids["Retail"]) == {("prefix", "+23276")}
    (row,) = (row for row in rows("workspaces") if row["name"] == "Outlet")
    assert (row["inherits_destinations"], row["parent_id"]) == (False, ids["Retail"])


@pytest.mark.both_engines
def test_removing_parent_and_inheritance_shows_changes_from_the_inherited_policy(
    ids: dict[str, UUID], applied: Apply, rows: Rows
) -> None:
    applied(outlet(parent="", destinations={}))
    (own,) = (r for r in rows("destination_revisions") if r["workspace_id"] == ids["Outlet"])
    assert [(c["country"], c["to"]) for c in own["changes"]] == [
        ("BR", None),
        ("CA", None),
        ("US", None),
    ]
    (row,) = (r for r in rows("workspaces") if r["name"] == "Outlet")
    assert (row["parent_id"], row["inherits_destinations"]) == (None, False)


def test_revisions_count_on_from_other_doors_and_back(
    ids: dict[str, UUID], manage: Any, applied: Apply, rows: Rows
) -> None:
    manage(ids["Retail"], changes.AllowCountries(["MX"]))
    applied(retail(destinations={"US": "allowed"}))
    restored = manage(ids["Retail"], changes.RestoreRevision(2))
    assert restored.effective.revision == 4
    assert restored.effective.state.destinations["MX"] == "allowed"
    found = sorted(rows("destination_revisions"), key=lambda row: row["revision"])
    assert [(r["revision"], r["from_revision"], r["actor_kind"]) for r in found] == [
        (1, None, "provisioning"),
        (2, 1, "user"),
        (3, 2, "provisioning"),
        (4, 3, "user"),
    ]


def test_a_rule_made_while_a_file_is_applied_is_not_lost(
    ids: dict[str, UUID], manage: Any, applied: Apply, rows: Rows
) -> None:
    start = threading.Barrier(2)
    prefixes = [f"+2327{digit}" for digit in range(8)]

    def until_done(act: Callable[[], object]) -> None:
        while True:
            with suppress(ServiceUnavailable):
                act()
                return

    def add() -> None:
        start.wait()
        for prefix in prefixes:
            rule = Rule(new_id(), RuleKind.PREFIX, prefix, Access.BLOCKED, None, None, NOW)
            until_done(lambda rule=rule: manage(ids["Retail"], changes.AddRule(rule)))

    thread = threading.Thread(target=add)
    thread.start()
    start.wait()
    for access in ("blocked", "allowed") * 4:
        wanted = retail(destinations={"US": access})
        until_done(lambda wanted=wanted: applied(wanted))
    thread.join()
    assert rule_values(rows, ids["Retail"]) == {("prefix", prefix) for prefix in prefixes}
    revisions = sorted(row["revision"] for row in rows("destination_revisions"))
    assert revisions == list(range(1, 18))


@pytest.mark.both_engines
def test_acknowledgement_is_required_if_the_file_requires_it(
    ids: dict[str, UUID], manage: Any, planned: Any, applied: Apply, database: Database
) -> None:
    store(database, high_risk=("PK",), PK=False)
    asking = retail(acknowledge_high_risk=True)
    assert planned(asking) == ["~ workspaces[0].acknowledge_high_risk: false -> true"]
    applied(asking)
    assert planned(asking) == planned(retail()) == []
    with pytest.raises(ValidationFailed):
        manage(ids["Retail"], changes.AllowCountries(["PK"]))
    applied(retail(acknowledge_high_risk=False))
    assert manage(ids["Retail"], changes.AllowCountries(["PK"])).effective.revision == 2


def test_an_entry_in_the_file_is_an_acknowledgement(file: File, applied: Apply, rows: Rows) -> None:
    file["workspaces"][0] |= {"acknowledge_high_risk": True}
    file["workspaces"][0]["destinations"]["PK"] = "allowed"
    applied(file)
    (policy,) = rows("destination_policies")
    assert policy["destinations"]["PK"] == "allowed"


def test_a_changed_floor_is_planned(file: File, applied: Apply, planned: Any) -> None:
    applied(file)
    file["organization"]["denied_destinations"] = ["KP", "IR"]
    assert planned(file) == ["~ organization.denied_destinations: KP -> IR, KP"]
