"""Whatever is wrong with a request: it is named by its path, and nothing at all is changed."""

import json
from typing import Any

import pytest

from app.access.principal import Role
from app.kernel.countries import COUNTRIES
from app.kernel.ids import new_id
from support.destinations import PolicyClient, path_of
from support.tables import unchanged

pytestmark = pytest.mark.one_engine

ALL = "$.destinations"
FIRST, OF_US = f"{ALL}[0]", f"{ALL}.US"
NOT_CODES = ["us", "Us", "ZZ", "UK", "EU", "EN", "USA", "U", "", " US", "US ", "001"]
NOT_CODES += ["\uff35\uff33", "U\x00"]
NOT_ACCESSES = ["Allowed", "", "allowed ", "deny", None, 5, True, ["allowed"], {"a": "allowed"}]

BAD_LISTS: list[tuple[Any, set[str]]] = [
    *(({"destinations": [code]}, {FIRST}) for code in NOT_CODES),
    *(
        ({"destinations": [value]}, {FIRST})
        for value in (None, 5, True, 1.5, ["US"], {"US": "allowed"})
    ),
    *(({"destinations": value}, {ALL}) for value in (None, "US", 5, {"US": "allowed"})),
    ({"destinations": ["CA"] * 301}, {ALL}),
    ({"destinations": ["US", "us", 5, "ZZ"]}, {f"{ALL}[{place}]" for place in (1, 2, 3)}),
    ({}, {ALL}),
    ({"destination": ["US"]}, {ALL, "$.destination"}),
    ({"destinations": ["US", "us"], "country": 1}, {f"{ALL}[1]", "$.country"}),
    ([], {"$"}),
    ("US", {"$"}),
    (5, {"$"}),
]
BAD_MAPS: list[tuple[Any, set[str]]] = [
    *(({"destinations": {code: "blocked"}}, {f"{ALL}.{code}"}) for code in NOT_CODES),
    *(({"destinations": {"US": access}}, {OF_US}) for access in NOT_ACCESSES),
    *(({"destinations": value}, {ALL}) for value in (None, "US", 5, ["US"])),
    ({"destinations": {"US": 5, "us": "maybe", "CA": "allowed"}}, {OF_US, f"{ALL}.us"}),
    ({"destinations": {"us": "allowed"}, "until": None}, {f"{ALL}.us", "$.until"}),
    ({}, {ALL}),
    ([], {"$"}),
]
BAD_ALLOWANCES: list[tuple[Any, set[str]]] = [
    *(
        ({"destinations": ["CA"], "until": until}, {"$.until"})
        for until in ("soon", "2999-01-01", "2999-01-01T00:00:00", "2020-01-01T00:00:00Z", 5, {})
    ),
    ({"destinations": ["us"], "until": "2020-01-01T00:00:00Z"}, {FIRST, "$.until"}),
    (
        {"destinations": ["CA"], "acknowledge_high_risk": ["pk", 5]},
        {f"$.acknowledge_high_risk[{n}]" for n in (0, 1)},
    ),
]
CASES = [
    *(("POST", "/allow", *case) for case in BAD_LISTS),
    *(("POST", "/block", *case) for case in BAD_LISTS),
    *(("PUT", "", *case) for case in BAD_MAPS),
    *(("POST", "/allow", *case) for case in BAD_ALLOWANCES),
    *(
        ("PUT", "/inheritance", body, {"$.inherit"})
        for body in ({}, {"inherit": None}, {"inherit": "true"}, {"inherit": 1}, {"inherit": []})
    ),
]


def test_each_mistake_is_named_by_its_path_and_changes_nothing(policy: PolicyClient) -> None:
    with unchanged(policy.factory.database):
        for method, below, body, paths in CASES:
            answer = policy.ask(method, below, body)
            context = (method, below, body, answer.text)
            assert answer.status_code == 422, context
            assert answer.json["code"] == "ValidationFailed", context
            assert set(answer.json["details"]) == paths, context
            assert all(messages for messages in answer.json["details"].values()), context


def test_mistakes_of_the_body_and_of_the_query_are_named_together(policy: PolicyClient) -> None:
    answer = policy.ask("POST", "/allow?dry_run=perhaps&days=1", {"countries": []})
    assert set(answer.json["details"]) == {
        "$.destinations",
        "$.countries",
        "$.dry_run",
        "$.days",
    }


def test_a_code_given_again_counts_once_and_300_entries_are_the_bound(policy: PolicyClient) -> None:
    assert policy.allow(*["CA"] * 300).status_code == 200
    assert policy.block(*["FR", "DE"] * 150).status_code == 200
    once = {"US": "allowed", "CA": "allowed", "FR": "blocked", "DE": "blocked"}
    assert policy.destinations == once
    assert policy.revision == 3
    with unchanged(policy.factory.database):
        too_many = dict.fromkeys(COUNTRIES, "allowed") | {f"{n:03}": "allowed" for n in range(49)}
        assert len(too_many) == 301
        answer = policy.put(too_many)
        assert answer.status_code == 422
        assert answer.json["details"][ALL] == ["At most 300 entries."]
        assert policy.allow(*["CA"] * 301).json["details"] == {ALL: ["At most 300 entries."]}


def test_a_country_named_twice_with_two_answers_is_refused(policy: PolicyClient) -> None:
    raw = '{"destinations": {"US": "allowed", "US": "blocked"}}'
    headers = {"Authorization": f"AccessKey {policy.tenant.keys[Role.ADMIN]}"}
    with unchanged(policy.factory.database):
        answer = policy.gateway.client.put(
            policy.path, data=raw, headers=headers, content_type="application/json"
        )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("\xff", "application/json", 400),
        ('{"destinations": [NaN]}', "application/json", 400),
        ("[" * 60000, "application/json", 400),
        ("null", "application/json", 422),
        ('{"destinations": ["US"]}', "text/plain", 415),
        (json.dumps({"destinations": ["US"], "x": "y" * 65536}), "application/json", 413),
    ],
)
def test_invalid_json_is_refused_before_its_fields(
    policy: PolicyClient, data: str, content_type: str, status: int
) -> None:
    headers = {"Authorization": f"AccessKey {policy.tenant.keys[Role.ADMIN]}"}
    with unchanged(policy.factory.database):
        given = {"data": data.encode("latin-1"), "headers": headers, "content_type": content_type}
        for below in ("", "/allow", "/block", "/rules"):
            method = "POST" if below else "PUT"
            answer = policy.gateway.client.open(policy.path + below, method=method, **given)
            assert answer.status_code == status, below


def test_denied_destinations_are_refused_by_every_way_of_allowing(policy: PolicyClient) -> None:
    strict = policy.a_stranger(denied=("KP", "RU"))
    with unchanged(policy.factory.database):
        for answer, paths in [
            (strict.put({"US": "allowed", "KP": "allowed", "RU": "blocked"}), {f"{ALL}.KP"}),
            (strict.allow("US", "RU", "KP"), {f"{ALL}[1]", f"{ALL}[2]"}),
            (strict.allow_until("2999-01-01T00:00:00Z", "KP"), {FIRST}),
            (strict.add_rule("country", "KP", "allowed"), {"$.value"}),
            (strict.add_rule("number", "+79123456789", "allowed"), {"$.value"}),
            (strict.add_rule("prefix", "+850", "allowed"), {"$.value"}),
            (strict.add_rule("prefix", "+85019", "allowed"), {"$.value"}),
            (strict.add_rule("prefix", "+79", "allowed"), {"$.value"}),
            (strict.trying.allow("KP"), {FIRST}),
        ]:
            assert (answer.status_code, answer.json["code"]) == (422, "ValidationFailed")
            assert set(answer.json["details"]) == paths
    assert strict.block("KP", "RU").status_code == 200
    assert strict.add_rule("country", "KP", "blocked").status_code == 201
    assert strict.add_rule("prefix", "+850", "blocked").status_code == 201
    for shared in ("+7", "+85", "+77"):
        assert strict.add_rule("prefix", shared, "allowed").status_code == 201


def _routes(policy: PolicyClient, path: str) -> set[int]:
    """The statuses of every route below a path, asked by the owner of `policy`."""
    key = policy.tenant.keys[Role.OWNER]
    asked = [
        ("GET", "", None),
        ("PUT", "", {"destinations": {"US": "allowed"}}),
        ("POST", "/allow", {"destinations": ["US"]}),
        ("POST", "/block", {"destinations": ["US"]}),
        ("GET", "/rules", None),
        ("POST", "/rules", {"kind": "country", "value": "US", "action": "blocked"}),
        ("DELETE", f"/rules/{new_id()}", None),
        ("GET", "/inheritance", None),
        ("PUT", "/inheritance", {"inherit": False}),
        ("GET", "/history", None),
        ("POST", "/history/1/restore", None),
        ("POST", "/check", {"numbers": ["+12025550123"]}),
        ("GET", "/refusals", None),
    ]
    headers = {"Authorization": f"AccessKey {key}"}
    ask = policy.gateway.client.open
    return {
        ask(path + below, method=method, json=body, headers=headers).status_code
        for method, below, body in asked
    }


@pytest.mark.parametrize("capability", ["mms", "SMS", "sms%20", "whatsapp", "%00"])
def test_another_capability_is_a_bad_request_everywhere(
    policy: PolicyClient, capability: str
) -> None:
    with unchanged(policy.factory.database):
        assert _routes(policy, path_of(policy.tenant.workspace_id, capability)) == {400}


@pytest.mark.parametrize("malformed", ["x", "1", "e9d00796afb3458ead8564a1bdefe3aa", "%7Bx%7D"])
def test_a_malformed_id_is_a_bad_request_everywhere(policy: PolicyClient, malformed: str) -> None:
    with unchanged(policy.factory.database):
        assert _routes(policy, path_of(malformed)) == {400}
        assert policy.drop_rule(malformed).status_code == 400
