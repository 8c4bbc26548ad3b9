"""`guards` of a workspace and of a use case in a file."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from app.db.engine import Database
from app.guards.configuration import configuration_json
from app.guards.store import load_guards
from app.prices.price_file import PriceFile
from app.prices.price_table import PriceRow
from app.prices.store import import_prices
from app.provisioning.apply import plan
from app.provisioning.file import FileRefused
from support.each import each
from support.guards import DEFAULTS
from support.provisioning import Apply, File


@pytest.fixture
def shown(database: Database, file: File) -> Callable[[], dict[str, Any]]:
    """Reads the guards of the workspace `Retail` as the API shows them."""

    def read() -> dict[str, Any]:
        with database.reading() as connection:
            stored = load_guards(connection, UUID(file["workspaces"][0]["id"]))
        return {"revision": stored.revision, **configuration_json(stored.configuration)}

    return read


def test_guards_are_applied_once_with_history_and_audit(
    file: File, applied: Apply, rows: Any, shown: Callable[[], dict[str, Any]]
) -> None:
    """Break: write the guards in every apply, whether they differ or not."""
    retail = file["workspaces"][0]
    use_case = retail["use_cases"][0]
    retail["guards"] = {"number": {"mode": "enforce", "hour": 5}, "prefix": {"mode": "off"}}
    use_case["guards"] = {"country": {"countries": {"MA": {"hour": 1, "day": "none"}}}}
    file["workspaces"][1]["guards"] = {}

    applied(file)

    country = DEFAULTS["country"] | {"countries": {"MA": {"hour": 1, "day": None}}}
    assert shown() == {
        "revision": 1,
        "guards": DEFAULTS
        | {
            "number": {"mode": "enforce", "hour": 5, "day": 40},
            "prefix": {"mode": "off", "hour": 50, "day": None},
        },
        "use_cases": {use_case["id"]: {"country": country}},
    }
    (revision,) = rows("guard_revisions")
    assert (revision["revision"], revision["from_revision"]) == (1, 0)
    assert (revision["actor_kind"], revision["actor_name"]) == ("provisioning", "borderpost apply")
    changed = [row for row in rows("audit_events") if row["action"] == "guards.changed"]
    assert [(row["target"], row["actor_kind"]) for row in changed] == [("1", "provisioning")]
    before = rows()
    assert applied(file).changes == ()
    assert rows() == before


@pytest.mark.one_engine
def test_omitted_settings_of_a_guard_are_not_changed(
    file: File, applied: Apply, shown: Callable[[], dict[str, Any]]
) -> None:
    """Break: let `edit_guards` begin with the defaults instead of the current guards."""
    retail = file["workspaces"][0]
    use_case = retail["use_cases"][0]
    retail["guards"] = {
        "number": {"mode": "monitor", "hour": 7, "day": 8},
        "country": {"countries": {"MA": {"hour": 1, "day": 2}}},
    }
    use_case["guards"] = {"number": {"hour": 3}, "prefix": {"mode": "enforce", "hour": 4}}
    applied(file)

    retail["guards"] = {
        "number": {"day": 9},
        "country": {"hour": 30, "countries": {"GB": {"day": 5}, "MA": {"day": 6}}},
    }
    use_case["guards"] = {"prefix": {"day": 11}}
    assert [str(change) for change in applied(file).changes] == [
        "~ workspaces[0].guards.number.day: 8 -> 9",
        "~ workspaces[0].guards.country.hour: auto -> 30",
        "~ workspaces[0].guards.country.countries.MA.day: 2 -> 6",
        "+ workspaces[0].guards.country.countries.GB.hour: auto",
        "+ workspaces[0].guards.country.countries.GB.day: 5",
        "~ workspaces[0].use_cases[0].guards.prefix.day: none -> 11",
    ]
    expected = {
        "revision": 2,
        "guards": DEFAULTS
        | {
            "number": {"mode": "monitor", "hour": 7, "day": 9},
            "country": {
                "mode": "enforce",
                "hour": 30,
                "day": "auto",
                "countries": {"GB": {"hour": "auto", "day": 5}, "MA": {"hour": 1, "day": 6}},
            },
        },
        "use_cases": {
            use_case["id"]: {
                "number": {"mode": "enforce", "hour": 3, "day": 40},
                "prefix": {"mode": "enforce", "hour": 4, "day": 11},
            }
        },
    }
    assert shown() == expected
    del retail["guards"], use_case["guards"]
    retail["body_retention_days"] = 5
    applied(file)
    assert shown() == expected


@pytest.mark.one_engine
def test_none_removes_limits_of_a_country_and_a_guard_of_a_use_case(
    file: File, applied: Apply, shown: Callable[[], dict[str, Any]]
) -> None:
    """Break: let `edit_guards` pass null on, and it is a mistake of the file."""
    retail = file["workspaces"][0]
    use_case = retail["use_cases"][0]
    ma, gb = {"hour": 1, "day": 2}, {"hour": 3, "day": 4}
    retail["guards"] = {"country": {"countries": {"MA": ma, "GB": gb}}}
    use_case["guards"] = {"number": {"hour": 3}, "country": {"countries": {"MA": ma}}}
    applied(file)
    retail["guards"] = {"country": {"countries": {"MA": "none"}}}
    use_case["guards"] = {"number": None, "country": {"countries": {"MA": None}}}
    assert [str(change) for change in applied(file).changes] == [
        "- workspaces[0].guards.country.countries.MA.hour: 1",
        "- workspaces[0].guards.country.countries.MA.day: 2",
        "- workspaces[0].use_cases[0].guards.number.mode: enforce",
        "- workspaces[0].use_cases[0].guards.number.hour: 3",
        "- workspaces[0].use_cases[0].guards.number.day: 40",
        "- workspaces[0].use_cases[0].guards.country.countries.MA.hour: 1",
        "- workspaces[0].use_cases[0].guards.country.countries.MA.day: 2",
    ]
    found = shown()
    assert found["guards"]["country"]["countries"] == {"GB": gb}
    assert found["use_cases"] == {use_case["id"]: {"country": DEFAULTS["country"]}}
    assert applied(file).changes == ()


@pytest.mark.one_engine
def test_a_plan_shows_the_difference_and_changes_nothing(
    *, file: File, applied: Apply, database: Database, cipher: Any, now: Any, rows: Any
) -> None:
    applied(file)
    retail = file["workspaces"][0]
    retail["guards"] = {"number": {"hour": "none"}}
    retail["use_cases"][0]["guards"] = {"number": {"hour": 3}}
    before = rows()
    environ = {"RETAIL_TOKEN": "0123456789abcdef" * 2}
    changes = plan(database, cipher, file, environ=environ, now=now)
    assert [str(change) for change in changes] == [
        "~ workspaces[0].guards.number.hour: 10 -> none",
        "+ workspaces[0].use_cases[0].guards.number.mode: enforce",
        "+ workspaces[0].use_cases[0].guards.number.hour: 3",
        "+ workspaces[0].use_cases[0].guards.number.day: 40",
    ]
    assert rows() == before


MISTAKES: list[tuple[Any, Any, str]] = [
    ({"number": {"hour": 0}}, None, "workspaces[0].guards.number.hour: Must be a whole number"),
    ({"number": {"hour": "10"}}, None, 'workspaces[0].guards.number.hour: Must be a whole number from 1 to 2147483647, or "none"'),
    ({"number": {"minute": 1}}, None, "workspaces[0].guards.number.minute: Unknown field."),
    ({"number": {"mode": "on"}}, None, "workspaces[0].guards.number.mode: Must be one of"),
    ({"numbers": {}}, None, "workspaces[0].guards.numbers: There is no such guard"),
    ({"country": {"countries": {"ma": {}}}}, None, "workspaces[0].guards.country.countries.ma: Must be an ISO"),
    ({"country": {"countries": {"ma": "none"}}}, None, "workspaces[0].guards.country.countries.ma: Must be an ISO"),
    ({"number": "none"}, None, "workspaces[0].guards.number: Must be a table."),
    ({"spend": {"day": 25}}, None, "workspaces[0].guards.spend.day: Must be a decimal text"),
    ({"spend": {"day": "25.00"}}, None, "workspaces[0].guards.spend: A spend limit needs prices"),
    (5, None, "workspaces[0].guards: Must be a table."),
    (None, {"spend": {}}, "workspaces[0].use_cases[0].guards.spend: A use case can have"),
    (None, {"prefix": {"day": -1}}, "workspaces[0].use_cases[0].guards.prefix.day: Must be"),
]  # fmt: skip


@pytest.mark.one_engine
@each("of_workspace, of_use_case, text", MISTAKES)
def test_a_problem_has_its_place_and_prevents_all_changes(
    *, file: File, applied: Apply, rows: Any, of_workspace: Any, of_use_case: Any, text: str
) -> None:
    retail = file["workspaces"][0]
    for owner, given in ((retail, of_workspace), (retail["use_cases"][0], of_use_case)):
        owner.pop("guards", None)
        if given is not None:
            owner["guards"] = given
    with pytest.raises(FileRefused) as refused:
        applied(file)
    (mistake,) = refused.value.problems
    assert text in str(mistake)
    assert rows("organizations") == []


@pytest.mark.one_engine
def test_a_spend_limit_without_a_mode_is_enforced(
    file: File, applied: Apply, database: Database, now: Any, shown: Any
) -> None:
    row = PriceRow("US", "", "0.05", "USD", now.date())
    with database.writing() as connection:
        import_prices(connection, PriceFile(((2, row),), ()), now)
    file["workspaces"][0]["guards"] = {"spend": {"day": "25.00"}}
    applied(file)
    assert shown()["guards"]["spend"] == {"mode": "enforce", "day": "25.00", "month": None}


@pytest.mark.one_engine
def test_guards_of_a_use_case_that_the_file_deletes_are_not_set(
    file: File, applied: Apply, shown: Any
) -> None:
    applied(file)
    file["workspaces"][0]["use_cases"][0] |= {"deleted": True, "guards": {"number": {"hour": 1}}}
    applied(file)
    assert (shown()["revision"], shown()["use_cases"]) == (0, {})
