"""`destinations set`, `import`, `diff` and `export`: the policy as a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.access.tables import organizations
from app.db.engine import Database
from app.destinations.tables import destination_revisions, destination_rules
from support.commands import Commands
from support.each import each
from support.factories import Factory, Tenant
from support.tables import snapshot

pytestmark = pytest.mark.one_engine

NOW = "2030-01-01T00:00:00.000Z"
MAP = {"BR": "blocked", "CA": "allowed", "US": "allowed"}
AS_JSON = json.dumps({"destinations": MAP})
AS_TOML = '[destinations]\nBR = "blocked"\nCA = "allowed"\nUS = "allowed"\n'
AS_CSV = "code,status\nBR,blocked\nCA,allowed\nUS,allowed\n"
FORMS = {"json": AS_JSON, "toml": AS_TOML, "csv": AS_CSV, "csv without a head": AS_CSV[12:]}
NOT_A_COUNTRY = "Must be an ISO 3166-1 alpha-2 country code in upper case."
NOT_A_STATUS = "Must be one of: allowed, blocked."
PREFIX = {
    "kind": "prefix",
    "value": "+23276",
    "action": "blocked",
    "reason": "incident 7",
    "expires_at": "2030-01-02T00:00:00.000Z",
}
NUMBER = {
    "kind": "number",
    "value": "+12025550123",
    "action": "blocked",
    "reason": None,
    "expires_at": None,
}


@pytest.fixture(autouse=True)
def _now(at: Callable[[str], None]) -> None:
    at(NOW)


@pytest.fixture
def shop(destinations: Commands) -> Commands:
    """A workspace at revision 6 with a map and rules of each kind."""
    destinations("allow", "CA", "MX")
    destinations("block", "BR")
    destinations("rule", "add", "number", "+12025550123", "blocked")
    destinations(
        "rule", "add", "prefix", "+23276", "blocked", "--for", "1d", "--reason", "incident 7"
    )
    destinations("allow", "FR", "--for", "2h")
    return destinations


def state(destinations: Commands) -> tuple[Any, Any]:
    found = destinations.json("list")
    return found["destinations"], found["rules"]


@pytest.mark.parametrize("form", FORMS)
def test_a_map_is_read_in_each_form(destinations: Commands, tmp_path: Path, form: str) -> None:
    file = tmp_path / "policy"
    file.write_text(FORMS[form])
    for source, stdin in ((str(file), None), ("-", FORMS[form])):
        destinations("set", str(file), stdin=None)
        assert state(destinations) == (MAP, [])
        assert destinations("diff", source, stdin=stdin).stdout == ""
    assert destinations.lines("import", "-", stdin=FORMS[form]) == [
        "Retail: nothing to change, revision 2"
    ]


def test_omitted_countries_are_blocked_and_contradicting_country_rules_removed(
    shop: Commands,
) -> None:
    assert shop.lines("set", "-", "--reason", "audit", stdin=AS_CSV) == [
        "Retail: revision 7",
        "- FR France: allowed",
        "- MX Mexico: allowed",
        "- rule: country FR allowed until 2030-01-01T02:00:00.000Z",
    ]
    destinations, rules = state(shop)
    assert destinations == MAP
    assert {rule["value"] for rule in rules} == {"+12025550123", "+23276"}


def test_a_json_export_imports_back_to_an_identical_policy(
    shop: Commands, factory: Factory, tmp_path: Path
) -> None:
    file = tmp_path / "policy.json"
    file.write_text(shop("export").stdout)
    expires_at = "2030-01-01T02:00:00.000Z"
    fair = {"kind": "country", "value": "FR", "action": "allowed", "reason": None}
    exported = {
        "destinations": {"BR": "blocked", "CA": "allowed", "MX": "allowed", "US": "allowed"},
        "rules": [fair | {"expires_at": expires_at}, NUMBER, PREFIX],
    }
    assert json.loads(file.read_text()) == exported
    kept = {rule["id"]: rule for rule in state(shop)[1]}
    shop("set", "-", stdin='{"destinations": {"DE": "allowed"}}')
    shop("rule", "remove", "+23276")
    shop("rule", "add", "prefix", "+49", "blocked")
    shop("rule", "add", "number", "+12025550123", "allowed")
    assert shop("export").stdout != file.read_text()
    shop("import", str(file), "--reason", "back")
    assert shop("export").stdout == file.read_text()
    assert state(shop)[0] == exported["destinations"]
    expected_text = [{**rule, "id": None, "created_at": None} for rule in state(shop)[1]]
    assert sorted(expected_text, key=lambda rule: rule["value"]) == sorted(
        ({**rule, "id": None, "created_at": None} for rule in kept.values()),
        key=lambda rule: rule["value"],
    )
    last = max(factory.rows(destination_revisions), key=lambda row: row["revision"])
    assert (last["action"], last["reason"]) == ("imported", "back")


def test_an_export_leaves_out_what_has_expired(
    shop: Commands, at: Callable[[str], None], factory: Factory
) -> None:
    at("2030-01-01T02:00:00Z")
    text = shop("export").stdout
    assert [rule["value"] for rule in json.loads(text)["rules"]] == ["+12025550123", "+23276"]
    assert shop.lines("import", "-", stdin=text) == ["Retail: nothing to change, revision 6"]
    assert len(factory.rows(destination_rules)) == 3


def test_other_formats_contain_the_map_and_report_omitted_rules(shop: Commands) -> None:
    for form, first in (("csv", "code,status"), ("toml", "[destinations]")):
        result = shop("export", "--format", form)
        assert result.stdout.splitlines()[0] == first
        assert result.stderr == "3 rules are not included: use JSON for rules\n"
        assert shop.lines("set", "-", "--dry-run", stdin=result.stdout)[1:2] == [
            "- FR France: allowed"
        ]


@pytest.mark.parametrize("form", ["csv", "toml", "json"])
def test_an_empty_map_survives_each_form(destinations: Commands, form: str) -> None:
    destinations("set", "-", stdin="code,status\n")
    text = destinations("export", "--format", form).stdout
    assert destinations("diff", "-", stdin=text).stdout == ""
    assert state(destinations) == ({}, [])


def test_an_import_with_rules_leaves_no_other_rules(shop: Commands) -> None:
    file = {"destinations": MAP, "rules": [PREFIX, NUMBER | {"action": "allowed"}]}
    prefix = next(rule for rule in state(shop)[1] if rule["value"] == "+23276")
    assert shop.lines("import", "-", stdin=json.dumps(file)) == [
        "Retail: revision 7",
        "- FR France: allowed",
        "- MX Mexico: allowed",
        "- rule: number +12025550123 blocked",
        "- rule: country FR allowed until 2030-01-01T02:00:00.000Z",
        "+ rule: number +12025550123 allowed",
    ]
    assert prefix in state(shop)[1]
    file["rules"] = []
    assert shop.json("import", "-", stdin=json.dumps(file))["rules"]["added"] == []
    assert state(shop) == (MAP, [])


def test_country_rule_may_contradict_the_map(shop: Commands) -> None:
    rule = {"kind": "country", "value": "US", "action": "blocked"}
    shop("import", "-", stdin=json.dumps({"destinations": MAP, "rules": [rule]}))
    assert shop.json("list")["reachable"] == ["CA"]


def test_a_difference_exits_2_and_changes_nothing(shop: Commands, database: Database) -> None:
    before = snapshot(database)
    assert shop.lines("diff", "-", exits=2, stdin=AS_TOML) == [
        "- FR France: allowed",
        "- MX Mexico: allowed",
        "- rule: country FR allowed until 2030-01-01T02:00:00.000Z",
    ]
    found = shop.json("diff", "-", exits=2, stdin=AS_TOML)
    assert found["revision"] == 6
    assert found["changes"] == [
        {"country": "FR", "from": "allowed", "to": None},
        {"country": "MX", "from": "allowed", "to": None},
    ]
    assert (found["rules"]["added"], len(found["rules"]["removed"])) == ([], 1)
    rules_only = shop("export").stdout.replace("incident 7", "incident 8")
    assert shop.lines("diff", "-", exits=2, stdin=rules_only) == [
        "- rule: prefix +23276 blocked until 2030-01-02T00:00:00.000Z (incident 7)",
        "+ rule: prefix +23276 blocked until 2030-01-02T00:00:00.000Z (incident 8)",
    ]
    assert snapshot(database) == before


def test_an_inherited_policy_is_compared_and_exported_too(
    shop: Commands, tenant: Tenant, factory: Factory
) -> None:
    factory.tenant(tenant.organization_id, "Child", parent_id=tenant.workspace_id, inherits=True)
    child = ("--workspace", "Child")
    parents = ("--workspace", str(tenant.workspace_id))
    text = shop("export", *child).stdout
    assert text == shop("export", *parents).stdout
    assert shop("diff", "-", *child, stdin=text).exit_code == 0
    assert shop("diff", "-", *child, exits=2, stdin=AS_CSV).stdout != ""
    assert "inherited" in shop.errors("import", "-", *child, stdin=text)[0]


WRONG_FILES = {
    "": ["the file: Is empty."],
    " \n\n": ["the file: Is empty."],
    "{": [
        "the file: Is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)."
    ],
    "nonsense": [
        "the file: Is not TOML: Expected '=' after a key in a key/value pair (at end of document)."
    ],
    '{"destinations": {"US": "allowed", "US": "blocked"}}': [
        "the file: An object has the key 'US' twice."
    ],
    "US,allowed\nUS,blocked\n": ["line 2: US is listed twice, with different statuses."],
    "US,allowed\nCA\n": ["line 2: Must be code,status."],
    "US,allowed,now\n": ["line 1: Must be code,status."],
    "US,allowed\nCA\nus,allowed\nUS,blocked\nMX,open\n": [
        "line 2: Must be code,status.",
        "line 4: US is listed twice, with different statuses.",
        f"$.destinations.us: {NOT_A_COUNTRY}",
        f"$.destinations.MX: {NOT_A_STATUS}",
    ],
    'US,"allowed\n': ["the file: Is not CSV: unexpected end of data."],
    "code,status\ncode,status\n": [
        f"$.destinations.code: {NOT_A_COUNTRY}",
        f"$.destinations.code: {NOT_A_STATUS}",
    ],
    "us,allowed\nCA,open\n": [
        f"$.destinations.us: {NOT_A_COUNTRY}",
        f"$.destinations.CA: {NOT_A_STATUS}",
    ],
    '{"US": "allowed"}': [
        "$.destinations: Missing data for required field.",
        "$.US: Unknown field.",
    ],
    '{"destinations": ["US"]}': ["$.destinations: Not a valid mapping type."],
    '{"destinations": {"US": true}}': ["$.destinations.US: Not a valid string."],
    '{"destinations": {"KP": "allowed"}}': [
        "$.destinations.KP: The organization denies this destination; a workspace cannot allow it."
    ],
}


@each("text", WRONG_FILES, ids=lambda text: text.split("\n")[0][:30] or "empty")
@each("command", ["set", "import", "diff"])
def test_all_mistakes_of_a_file_are_reported_and_nothing_changes(
    destinations: Commands, tenant: Tenant, factory: Factory, *, command: str, text: str
) -> None:
    factory.set(organizations, tenant.organization_id, denied_destinations=["KP"])
    before = snapshot(factory.database)
    expected_text = destinations.errors(command, "-", stdin=text)
    assert expected_text == [f"error: {line}" for line in WRONG_FILES[text]]
    assert snapshot(factory.database) == before


WRONG_RULES: list[tuple[list[Any], list[str]]] = [
    (
        [NUMBER | {"value": "12025550123"}, PREFIX | {"value": "+0"}, {"kind": "area"}],
        [
            "$.rules[0].value: Must be a number in E.164 form, for example +12025550123.",
            "$.rules[1].value: Must be the beginning of E.164 numbers, for example +23276.",
            "$.rules[2].kind: Must be one of: country, prefix, number.",
            "$.rules[2].value: Missing data for required field.",
            "$.rules[2].action: Missing data for required field.",
        ],
    ),
    ([PREFIX | {"expires_at": NOW}], ["$.rules[0].expires_at: Has already passed."]),
    (
        [PREFIX, NUMBER, PREFIX | {"action": "allowed"}],
        [
            "$.rules[0]: There are several rules of this kind and value.",
            "$.rules[2]: There are several rules of this kind and value.",
        ],
    ),
    (
        [NUMBER, {"kind": "country", "value": "KP", "action": "allowed"}],
        [
            "$.rules[1].value: The organization denies this destination; a workspace cannot allow it."
        ],
    ),
    ([PREFIX | {"id": "1"}], ["$.rules[0].id: Unknown field."]),
    (
        [NUMBER | {"value": "+112025550123"}, PREFIX | {"value": "+4407"}],
        [
            "$.rules[0].value: +112025550123 is not in canonical form; use +12025550123.",
            "$.rules[1].value: No phone number in canonical form begins with +4407; use +447.",
        ],
    ),
]


@pytest.mark.parametrize(("rules", "expected_text"), WRONG_RULES, ids=lambda v: str(len(v)))
def test_wrong_rules_are_reported_by_place_and_change_nothing(
    destinations: Commands,
    tenant: Tenant,
    factory: Factory,
    rules: list[Any],
    expected_text: list[str],
) -> None:
    factory.set(organizations, tenant.organization_id, denied_destinations=["KP"])
    before = snapshot(factory.database)
    text = json.dumps({"destinations": MAP, "rules": rules})
    for command in ("import", "diff"):
        found = destinations.errors(command, "-", stdin=text)
        assert found == [f"error: {line}" for line in expected_text]
    assert snapshot(factory.database) == before


def test_unreadable_file_is_reported(destinations: Commands, tmp_path: Path) -> None:
    assert destinations.errors("set", "no-such-file") == [
        "error: no-such-file: cannot be read: No such file or directory"
    ]
    file = tmp_path / "policy.csv"
    file.write_bytes(b"US,allowed\n\xff,blocked\n")
    assert destinations.errors("set", str(file)) == ["error: the file: Is not a text in UTF-8."]
