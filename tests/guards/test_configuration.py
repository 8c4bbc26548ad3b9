"""The configuration of guards: defaults, whole replacement, and every mistake at its path."""

from typing import Any
from uuid import uuid4

import pytest

from app.guards.api import GuardsBody, GuardsOfWorkspace, UseCaseGuardsBody
from app.guards.configuration import guards_json, parse_guards, use_case_json
from app.guards.limits import (
    DEFAULT_GUARDS,
    DeliveryGuard,
    DeliverySign,
    GuardConfiguration,
    GuardName,
    Guards,
)
from app.kernel.errors import Problems, ValidationFailed
from support.each import each
from support.guards import DEFAULTS

COUNT = "Must be a whole number from 1 to 2147483647, or null for no limit."
COUNT_OR_AUTO = 'Must be a whole number from 1 to 2147483647, "auto", or null for no limit.'
MONEY = 'Must be a decimal text above 0, for example "25.00", or null for no limit.'
PERCENT = "Must be a whole number from 0 to 100."
NO_GUARD = "There is no such guard; there are number, prefix, country, workspace, spend, delivery."
NOT_OF_USE_CASES = "A use case can have guards of its own for number, prefix, country alone."
OBJECT = "Must be a JSON object."
COUNTRY = "Must be an ISO 3166-1 alpha-2 country code in upper case."
UNKNOWN = "Unknown field."
MODE = "Must be one of: enforce, monitor, off."


def read(given: Any) -> dict[str, Any]:
    problems = Problems()
    found = guards_json(parse_guards(given, "$.guards", problems))
    problems.refuse()
    return found


def test_omitted_settings_have_their_defaults() -> None:
    assert read({}) == DEFAULTS
    assert read({name: {} for name in DEFAULTS}) == DEFAULTS
    changed = read({"number": {"hour": 3}, "country": {"countries": {"MA": {"day": None}}}})
    assert changed == DEFAULTS | {
        "number": {"mode": "enforce", "hour": 3, "day": 40},
        "country": DEFAULTS["country"] | {"countries": {"MA": {"hour": "auto", "day": None}}},
    }


def test_a_written_configuration_is_read_back_unchanged() -> None:
    wanted = {
        "number": {"mode": "off", "hour": None, "day": 1},
        "prefix": {"mode": "enforce", "hour": 2147483647, "day": 7},
        "country": {
            "mode": "monitor",
            "hour": 5,
            "day": "auto",
            "countries": {"MA": {"hour": 10, "day": 40}, "US": {"hour": "auto", "day": None}},
        },
        "workspace": {"mode": "enforce", "minute": 100, "day": None},
        "spend": {"mode": "monitor", "day": "25.00", "month": "0.000001"},
        "delivery": {"mode": "enforce", "below": None, "baseline": 0, "minimum": 1},
    }
    assert read(wanted) == wanted
    assert list(read(wanted)) == list(GuardName)


@each(
    "given, mode",
    [
        ({}, "off"),
        ({"day": "25.00"}, "enforce"),
        ({"month": "5"}, "enforce"),
        ({"day": "25.00", "mode": "off"}, "off"),
        ({"day": "25.00", "mode": "monitor"}, "monitor"),
        ({"day": None, "month": None}, "off"),
    ],
)
def test_a_spend_limit_without_a_mode_is_enforced(given: Any, mode: str) -> None:
    assert read({"spend": given})["spend"]["mode"] == mode


@each(
    "given, problems",
    [
        ([], {"$.guards": [OBJECT]}),
        ({"numbers": {}}, {"$.guards.numbers": [NO_GUARD]}),
        ({"number": 3}, {"$.guards.number": [OBJECT]}),
        *[
            ({"number": {"hour": value}}, {"$.guards.number.hour": [COUNT]})
            for value in (0, -1, 1.5, "10", "auto", True, [], {}, 2147483648)
        ],
        ({"prefix": {"minute": 3}}, {"$.guards.prefix.minute": [UNKNOWN]}),
        ({"number": {"countries": {}}}, {"$.guards.number.countries": [UNKNOWN]}),
        ({"number": {"mode": "on"}}, {"$.guards.number.mode": [MODE]}),
        ({"number": {"mode": None}}, {"$.guards.number.mode": [MODE]}),
        ({"country": {"hour": "AUTO"}}, {"$.guards.country.hour": [COUNT_OR_AUTO]}),
        (
            {"country": {"countries": {"ma": {"hour": 10}}}},
            {"$.guards.country.countries.ma": [COUNTRY]},
        ),
        (
            {"country": {"countries": {"MA": {"hour": 0, "week": 1}, "XX": 3}}},
            {
                "$.guards.country.countries.MA.hour": [COUNT_OR_AUTO],
                "$.guards.country.countries.MA.week": [UNKNOWN],
                "$.guards.country.countries.XX": [COUNTRY, OBJECT],
            },
        ),
        ({"workspace": {"hour": 3}}, {"$.guards.workspace.hour": [UNKNOWN]}),
        *[
            ({"spend": {"day": value}}, {"$.guards.spend.day": [MONEY]})
            for value in (25, 25.0, "0", "0.00", "-1", "1,5", "auto", "1e3", " 1", "", "٣")
        ],
        *[
            ({"delivery": {"baseline": value}}, {"$.guards.delivery.baseline": [PERCENT]})
            for value in (-1, 101, None, "30", 1.5, False)
        ],
        (
            {"delivery": {"below": 101, "minimum": 0}},
            {
                "$.guards.delivery.below": [
                    "Must be a whole number from 0 to 100, or null for no limit."
                ],
                "$.guards.delivery.minimum": ["Must be a whole number from 1 to 2147483647."],
            },
        ),
    ],
    ids=str,
)
def test_every_mistake_is_named_at_its_path(given: Any, problems: dict[str, list[str]]) -> None:
    found = Problems()
    parse_guards(given, "$.guards", found)
    with pytest.raises(ValidationFailed) as refused:
        found.refuse()
    assert refused.value.details == problems


def test_a_whole_body_reports_all_problems_together() -> None:
    known, twice = str(uuid4()), "0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001"
    body = {
        "guards": {"number": {"hour": 0}},
        "use_cases": {
            "otp": {},
            twice: {},
            twice.upper(): {},
            known: {"spend": {"day": "1"}, "prefix": {"hour": "x"}, "nothing": {}},
        },
        "more": 1,
    }
    found = Problems()
    GuardsBody().load(body)(GuardConfiguration(), found)
    assert found.found() == {
        "$.more": [UNKNOWN],
        "$.guards.number.hour": [COUNT],
        "$.use_cases.otp": ["Must be a UUID."],
        f"$.use_cases.{twice.upper()}": ["This use case is given more than once."],
        f"$.use_cases.{known}.spend": [NOT_OF_USE_CASES],
        f"$.use_cases.{known}.prefix.hour": [COUNT],
        f"$.use_cases.{known}.nothing": [NO_GUARD],
    }


def test_a_partial_change_keeps_other_settings() -> None:
    """Provisioning and commands change what they name."""
    problems = Problems()
    base = parse_guards(
        {"number": {"mode": "monitor", "hour": 3}, "spend": {"mode": "off", "day": "5"}},
        "guards",
        problems,
    )
    changed = parse_guards(
        {"number": {"day": 9}, "spend": {"day": "6"}, "delivery": {"minimum": 5}},
        "guards",
        problems,
        base,
    )
    problems.refuse()
    assert guards_json(changed) == DEFAULTS | {
        "number": {"mode": "monitor", "hour": 3, "day": 9},
        "spend": {"mode": "off", "day": "6", "month": None},
        "delivery": DEFAULTS["delivery"] | {"minimum": 5},
    }


def test_the_description_has_the_fields_that_are_read() -> None:
    described = {
        name: set(field.schema.fields) for name, field in GuardsOfWorkspace().fields.items()
    }
    every = guards_json(Guards(delivery=DeliveryGuard(counts=DeliverySign.CONVERTED)))
    assert described == {name: set(fields) for name, fields in every.items()}
    assert guards_json(Guards()) == DEFAULTS
    of_use_case = {
        name: DEFAULT_GUARDS[name] for name in map(GuardName, UseCaseGuardsBody().fields)
    }
    assert set(use_case_json(of_use_case)) == {"number", "prefix", "country"}
