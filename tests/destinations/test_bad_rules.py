"""Rules whose value has not the form of their kind, or that could never hold, are refused."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.kernel.clock import rfc3339
from app.kernel.ids import new_id
from support.destinations import PolicyClient
from support.factories import US_NUMBER
from support.tables import unchanged
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

VALUE = {"$.value"}
BAD_VALUES = {
    "country": ["us", "ZZ", "USA", "", "+1", "U\x00"],
    "prefix": [
        *("", "+", "1202", "+0", "+01", "+1 202", "+1202*", "US", "+1234567890123456", "++1"),
        *("+\uff11", "+4407", "+11", "+610", "+999", "+120255501231234"),
    ],
    "number": [
        *("", "+", "12025550123", "+0123456789", "+1 202 555 0123", "+1234567890123456"),
        *("+1202x", "+112025550123", "+4407400123456", "+999123456"),
    ],
}
PREFIX: dict[str, Any] = {"kind": "prefix", "value": "+23276", "action": "blocked"}
BAD_BODIES: list[tuple[Any, set[str]]] = [
    *(
        ({"kind": kind, "value": value, "action": "blocked"}, VALUE)
        for kind, values in BAD_VALUES.items()
        for value in values
    ),
    *((PREFIX | {"value": value}, VALUE) for value in (None, 232, ["+23276"], {"a": "+23276"})),
    *(
        (PREFIX | {"kind": kind}, {"$.kind"})
        for kind in ("Prefix", "no_country", "provider", "", None, 5, ["prefix"])
    ),
    *(
        (PREFIX | {"action": action}, {"$.action"})
        for action in ("allow", "", None, True, ["blocked"])
    ),
    *((PREFIX | {"reason": reason}, {"$.reason"}) for reason in ("x" * 501, 5, [], "a\x00b")),
    *(
        (PREFIX | {"expires_at": at}, {"$.expires_at"})
        for at in ("tomorrow", "2999-01-01", "2999-13-01T00:00:00Z", "2020-01-01T00:00:00Z", 5, [])
    ),
    ({}, {"$.kind", "$.value", "$.action"}),
    (PREFIX | {"note": 1, "id": "x"}, {"$.note", "$.id"}),
    ({"kind": "x", "value": 5, "action": "y", "z": 1}, {"$.kind", "$.value", "$.action", "$.z"}),
    ([PREFIX], {"$"}),
    # Numbers that belong to no country are blocked whatever a rule says.
    ({"kind": "number", "value": "+881612345678", "action": "allowed"}, VALUE),
    ({"kind": "number", "value": "+80012345678", "action": "allowed"}, VALUE),
    *(
        ({"kind": "prefix", "value": value, "action": "allowed"}, VALUE)
        for value in ("+870", "+8816", "+80", "+1710")
    ),
]


def test_a_prefix_is_allowed_if_some_of_its_numbers_have_a_country(policy: PolicyClient) -> None:
    for value, action in (("+88", "allowed"), ("+8", "allowed"), ("+870", "blocked")):
        body = {"kind": "prefix", "value": value, "action": action}
        assert policy.ask("POST", "/rules", body).status_code == 201, body


def test_each_mistake_in_a_rule_is_named_by_its_path_and_changes_nothing(
    policy: PolicyClient,
) -> None:
    with unchanged(policy.factory.database):
        for body, paths in BAD_BODIES:
            answer = policy.ask("POST", "/rules", body)
            context = (body, answer.text)
            assert (answer.status_code, answer.json["code"]) == (422, "ValidationFailed"), context
            assert set(answer.json["details"]) == paths, context


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("prefix", "+1"),
        ("prefix", "+7"),
        ("prefix", "+12"),
        ("prefix", "+44791"),
        ("number", US_NUMBER),
        ("number", "+881612345678"),
        ("country", "AQ"),
        ("country", "XK"),
    ],
)
def test_every_rightly_formed_rule_is_taken_as_it_is(
    policy: PolicyClient, kind: str, value: str
) -> None:
    answer = policy.add_rule(kind, value, "blocked", reason="fraud, ждём ответа", expires_at=None)
    assert answer.status_code == 201
    made = answer.json
    assert UUID(made["id"]).version == 7
    assert made["created_at"].endswith("Z")
    assert made == {
        "id": made["id"],
        "kind": kind,
        "value": value,
        "action": "blocked",
        "reason": "fraud, ждём ответа",
        "expires_at": None,
        "created_at": made["created_at"],
    }
    found = policy.ask("GET", "/rules")
    assert found.json == {"items": [made], "next_page_token": None}
    assert found.headers["ETag"] == answer.headers["ETag"] == '"2"'


def test_a_rule_may_expire_in_the_next_instant_but_not_now(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    with unchanged(timed_policy.factory.database):
        for at in (clock.at, clock.at - timedelta(milliseconds=1)):
            answer = timed_policy.add_rule("prefix", "+1", "blocked", expires_at=rfc3339(at))
            assert answer.json["details"] == {"$.expires_at": ["Has already passed."]}
            answer = timed_policy.allow_until(rfc3339(at), "CA")
            assert answer.json["details"] == {"$.until": ["Has already passed."]}
    soon = rfc3339(clock.at + timedelta(milliseconds=1))
    assert timed_policy.add_rule("prefix", "+1", "blocked", expires_at=soon).status_code == 201
    assert timed_policy.allow_until(soon, "CA").status_code == 200


def test_an_offset_is_kept_as_the_same_instant(policy: PolicyClient) -> None:
    answer = policy.add_rule("prefix", "+1", "blocked", expires_at="2999-01-01T02:30:00.1239+02:30")
    assert answer.json["expires_at"] == "2999-01-01T00:00:00.123Z"
    assert policy.get("/rules")["items"][0]["expires_at"] == "2999-01-01T00:00:00.123Z"


def test_a_rule_that_is_not_there_is_not_found(policy: PolicyClient) -> None:
    colleague = policy.a_colleague()
    of_another = colleague.add_rule("prefix", "+1", "blocked").json["id"]
    with unchanged(policy.factory.database):
        absent = policy.drop_rule(str(new_id()))
        assert (absent.status_code, absent.json["code"]) == (404, "NotFound")
        assert policy.drop_rule(of_another).data == absent.data
    assert colleague.drop_rule(of_another).status_code == 204
    with unchanged(policy.factory.database):
        assert colleague.drop_rule(of_another).status_code == 404
