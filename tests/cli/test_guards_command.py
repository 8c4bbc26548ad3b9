"""`guards list`, `set` and `suggest`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import select

from app.access.tables import audit_events
from app.db.engine import Database
from app.guards.tables import guard_revisions
from app.kernel.ids import new_id
from support.commands import Run
from support.each import each
from support.guards import DEFAULTS, FLOORS

pytestmark = pytest.mark.one_engine


@dataclass(frozen=True)
class Guards:
    """The commands under `guards`."""

    run: Run
    workspace_id: str
    use_case_id: str

    def __call__(self, *arguments: str, exits: int = 0) -> Result:
        result = self.run("guards", *arguments)
        assert result.exit_code == exits, result.output
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)

    def set(self, *arguments: str) -> Any:
        """Set, and return what is printed."""
        return self.json("set", *arguments)


@pytest.fixture
def guards(run: Run, acme: Path) -> Guards:
    workspace = json.loads(run("apply", str(acme), "--json").stdout)["workspaces"][0]
    return Guards(run, workspace["id"], workspace["use_cases"][0]["id"])


def test_list_prints_what_the_api_answers_and_a_table(guards: Guards) -> None:
    found = guards.json("list")
    assert found == {
        "workspace_id": guards.workspace_id,
        "revision": 0,
        "updated_at": found["updated_at"],
        "guards": DEFAULTS,
        "use_cases": {},
        "auto": FLOORS,
    }
    guards("set", "country", "--country", "MA", "--hour", "7", "--day", "none")
    guards("set", "number", "--use-case", guards.use_case_id, "--hour", "3")
    assert guards("list").stdout.splitlines() == [
        "Retail: revision 2",
        "number                                         enforce  10 per hour, 40 per day",
        "prefix                                         monitor  50 per hour",
        "country                                        enforce  auto per hour (now 50), auto per day (now 200)",
        "  MA                                                    7 per hour",
        "workspace                                      monitor  auto per minute (now 300), auto per day (now 10000)",
        "spend                                          off      no limit",
        "delivery                                       monitor  below 30 %, baseline 60 %, minimum 20",
        f"use case {guards.use_case_id}",
        "  number                                       enforce  3 per hour, 40 per day",
    ]


def test_set_changes_what_it_names_and_nothing_else(guards: Guards) -> None:
    """Break: let `edit_guards` begin with the defaults instead of the current guards."""
    expected = DEFAULTS | {"number": {"mode": "enforce", "hour": 3, "day": 40}}
    found = guards.set("number", "--hour", "3")
    assert (found, found["guards"]) == (guards.json("list"), expected)
    expected |= {"prefix": {"mode": "off", "hour": 50, "day": None}}
    assert guards.set("prefix", "--mode", "off")["guards"] == expected
    expected |= {"workspace": {"mode": "monitor", "minute": None, "day": 500}}
    assert guards.set("workspace", "--minute", "none", "--day", "500")["guards"] == expected
    expected["workspace"]["minute"] = "auto"
    assert guards.set("workspace", "--minute", "auto")["guards"] == expected
    expected |= {"delivery": DEFAULTS["delivery"] | {"below": None, "minimum": 50}}
    assert guards.set("delivery", "--below", "none", "--minimum", "50")["guards"] == expected
    converted = expected | {"delivery": expected["delivery"] | {"counts": "converted"}}
    assert guards.set("delivery", "--counts", "converted")["guards"] == converted
    assert guards.set("delivery", "--counts", "delivered")["guards"] == expected
    country = {"mode": "enforce", "hour": "auto", "day": 100}
    expected["country"] = country | {"countries": {"MA": {"hour": 7, "day": "auto"}}}
    guards.set("country", "--day", "100")
    assert guards.set("country", "--country", "MA", "--hour", "7")["guards"] == expected
    expected["country"]["countries"] = {
        "GB": {"hour": "auto", "day": 9},
        "MA": {"hour": 7, "day": 8},
    }
    guards.set("country", "--country", "GB", "--day", "9")
    found = guards.set("country", "--country", "MA", "--day", "8")
    assert (found["guards"], found["use_cases"]) == (expected, {})


def test_a_use_case_gets_a_guard_of_its_own_and_loses_it(guards: Guards) -> None:
    own = ("--use-case", guards.use_case_id)
    number = {"mode": "enforce", "hour": 3, "day": 40}
    found = guards.set("number", *own, "--hour", "3")
    assert (found["guards"], found["use_cases"]) == (
        DEFAULTS,
        {guards.use_case_id: {"number": number}},
    )
    found = guards.set("country", *own, "--country", "MA", "--hour", "1", "--mode", "monitor")
    assert found["use_cases"][guards.use_case_id] == {
        "number": number,
        "country": DEFAULTS["country"]
        | {"mode": "monitor", "countries": {"MA": {"hour": 1, "day": "auto"}}},
    }
    found = guards.set("country", *own, "--country", "MA", "--remove")
    assert found["use_cases"][guards.use_case_id]["country"]["countries"] == {}
    guards.set("country", *own, "--remove")
    assert guards.set("number", *own, "--remove")["use_cases"] == {}
    revision = guards.json("list")["revision"]
    assert guards.set("number", *own, "--remove")["revision"] == revision


def test_a_change_is_printed_and_kept_with_its_author_and_reason(
    guards: Guards, database: Database
) -> None:
    result = guards("set", "number", "--hour", "none", "--mode", "monitor", "--reason", "a launch")
    assert result.stdout.splitlines() == [
        "Retail: revision 1",
        "~ number.mode: enforce -> monitor",
        "~ number.hour: 10 -> none",
    ]
    again = guards("set", "number", "--hour", "none")
    assert again.stdout == "Retail: nothing to change, revision 1\n"
    with database.reading() as connection:
        (kept,) = connection.execute(select(guard_revisions)).all()
        of_guards = select(audit_events).where(audit_events.c.action == "guards.changed")
        (audited,) = connection.execute(of_guards).all()
    assert (kept.revision, kept.reason, kept.actor_kind) == (1, "a launch", "command_line")
    assert (audited.reason, audited.actor_kind) == ("a launch", "command_line")


def test_a_dry_run_and_an_old_revision_change_nothing(guards: Guards) -> None:
    before = guards.json("list")
    found = guards.json("set", "number", "--hour", "1", "--dry-run")
    assert (found["dry_run"], found["revision"], found["guards"]["number"]["hour"]) == (True, 0, 1)
    assert found["impact"] == {"days": 30, "messages": 0, "would_trip": []}
    assert guards("set", "number", "--hour", "1", "--dry-run").stdout.splitlines() == [
        "Retail: dry run, nothing was changed, revision 0",
        "~ number.hour: 10 -> 1",
        "of the 0 messages of the last 30 days:",
        "  none would have met a limit",
    ]
    result = guards("set", "number", "--hour", "1", "--if-match", "4", exits=1)
    assert result.stderr == "error: the current revision is 0, not 4: nothing was changed\n"
    assert guards.json("list") == before
    assert guards.set("number", "--hour", "1", "--if-match", "0")["revision"] == 1


WRONG = {
    ("bogus", "--hour", "1"): "'bogus' is not one of",
    ("number",): "Name what to change: --mode, --hour and --day.",
    ("number", "--minute", "1"): "--minute: the guard number has no such limit; it has --hour",
    ("spend", "--hour", "1"): "--hour: the guard spend has no such limit; it has --day and --month",
    ("delivery", "--hour", "1"): "--hour: the guard delivery has no such limit",
    ("number", "--hour", "0"): "--hour: Must be a whole number from 1",
    ("number", "--hour", "auto"): '--hour: Must be a whole number from 1 to 2147483647, or "none"',
    ("country", "--hour", "ten"): "--hour: Must be a whole number from 1",
    ("spend", "--day", "-1"): "--day: Must be a decimal text above 0",
    ("spend", "--month", "auto"): "--month: Must be a decimal text above 0",
    ("delivery", "--counts", "read"): "--counts: Must be one of: delivered, converted.",
    ("delivery", "--below", "101"): "--below: Must be a whole number from 0 to 100",
    ("number", "--mode", "enforced"): "'enforced' is not one of",
    ("number", "--country", "MA", "--hour", "1"): "--country: only the guard country has it",
    ("country", "--country", "ma", "--hour", "1"): "--country: Must be an ISO 3166-1",
    ("spend", "--use-case", str(new_id()), "--day", "1"): "--use-case: use cases have their own",
    ("number", "--use-case", "codes", "--hour", "1"): "'codes' is not a UUID",
    ("number", "--remove"): "--remove goes with --country or --use-case",
    ("number", "--hour", "1", "--if-match", "x"): "is not a valid integer",
}


@each("arguments, text", WRONG.items())
def test_wrong_usage_names_the_option_and_exits_64(
    guards: Guards, arguments: tuple[str, ...], text: str
) -> None:
    assert text in guards("set", *arguments, exits=64).stderr


def test_missing_object_is_named_and_exits_1(guards: Guards, tmp_path: Path) -> None:
    unknown = str(new_id())
    result = guards("set", "number", "--use-case", unknown, "--hour", "1", exits=1)
    assert result.stderr == (f"error: --use-case {unknown} of Retail: There is no such use case.\n")
    result = guards("set", "spend", "--day", "25.00", exits=1)
    assert "prices" in result.stderr
    assert "borderpost prices import" in result.stderr
    path = tmp_path / "prices.csv"
    path.write_text("country,mccmnc,price,currency,valid_from\nUS,,0.05,USD,2026-01-01\n")
    guards.run("prices", "import", str(path))
    spend = {"mode": "enforce", "day": "25.00", "month": None}
    assert guards.set("spend", "--day", "25.00")["guards"]["spend"] == spend
    assert guards("list", "--workspace", "Nobody", exits=1).stderr == (
        "error: there is no workspace Nobody\n"
    )


def test_suggest_prints_limits_and_applies_them(guards: Guards) -> None:
    suggested = guards.json("suggest")
    low = {"mode": "enforce", "hour": 10, "day": 40}
    assert suggested == {
        "days": 15,
        "messages": 0,
        "guards": DEFAULTS
        | {
            "number": low,
            "prefix": low,
            "country": low | {"countries": {}},
            "workspace": {"mode": "monitor", "minute": 300, "day": 10000},
        },
        "use_cases": {},
    }
    assert guards.json("list")["guards"] == DEFAULTS
    assert "borderpost guards suggest --apply" in guards("suggest").stdout
    assert guards("suggest", "--apply").stdout.splitlines() == [
        "Retail: revision 1",
        "~ prefix.mode: monitor -> enforce",
        "~ prefix.hour: 50 -> 10",
        "~ prefix.day: none -> 40",
        "~ country.hour: auto -> 10",
        "~ country.day: auto -> 40",
        "~ workspace.minute: auto -> 300",
        "~ workspace.day: auto -> 10000",
    ]
    assert guards.json("suggest", "--apply") == guards.json("list")
    assert guards.json("list")["guards"] == suggested["guards"]
