"""A client of Bird's destination API works here once its base URL is changed."""

import re
from typing import Any

import pytest

from app.access.principal import Role
from support.destinations import KEYS, PolicyClient
from support.factories import BR_NUMBER, US_NUMBER
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

# Word for word from the seed.
SENTENCE = (
    "Destinations have been blocked. If the block is not temporary, please cancel any associated "
    "subscriptions to prevent unexpected charges."
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def test_the_configuration_has_exactly_the_fields_of_the_seed(policy: PolicyClient) -> None:
    found = policy.get()
    assert set(found) == KEYS
    assert found["organizationId"] == str(policy.tenant.organization_id)
    assert found["workspaceId"] == str(policy.tenant.workspace_id)
    assert found["capabilityName"] == "sms"
    assert found["destinations"] == {"US": "allowed"}
    assert TIME.fullmatch(found["createdAt"])
    assert TIME.fullmatch(found["updatedAt"])


def test_the_example_of_the_seed_is_kept_entry_for_entry(policy: PolicyClient) -> None:
    wanted = {"US": "allowed", "BR": "blocked"}
    answer = policy.put(wanted)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == policy.get()
    assert answer.json["destinations"] == wanted
    assert set(answer.json) == KEYS


def test_a_put_overwrites_and_what_is_absent_is_blocked(policy: PolicyClient) -> None:
    assert policy.reaches(US_NUMBER)
    assert policy.put({"BR": "allowed"}).json["destinations"] == {"BR": "allowed"}
    assert policy.reaches(BR_NUMBER)
    assert not policy.reaches(US_NUMBER)
    assert policy.put({}).json["destinations"] == {}
    assert not policy.reaches(BR_NUMBER)


def test_allowing_adds_and_an_explicit_blocked_entry_survives(policy: PolicyClient) -> None:
    policy.put({"US": "allowed", "BR": "blocked"})
    answer = policy.allow("FR", "CA", "FR")
    assert answer.status_code == 200
    assert set(answer.json) == KEYS
    wanted = {"US": "allowed", "BR": "blocked", "CA": "allowed", "FR": "allowed"}
    assert answer.json["destinations"] == policy.destinations == wanted


def test_blocking_answers_the_sentence_of_the_seed_and_the_configuration(
    policy: PolicyClient,
) -> None:
    answer = policy.block("US", "BR")
    assert answer.status_code == 200
    assert answer.json == {"message": SENTENCE, "configuration": policy.get()}
    assert policy.destinations == {"US": "blocked", "BR": "blocked"}
    assert not policy.reaches(US_NUMBER)


def test_the_times_are_the_policys_first_and_last_change(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    first = timed_policy.get()
    clock.advance(61)
    changed = timed_policy.allow("CA").json
    clock.advance(61)
    again = timed_policy.allow("CA").json
    assert changed["createdAt"] == first["createdAt"]
    assert changed["updatedAt"] == "2026-01-31T12:01:01.000Z"
    assert again == changed


ISO = ["Must be an ISO 3166-1 alpha-2 country code in upper case."]
STATUS = ["Must be one of: allowed, blocked."]
DENIED = ["The organization denies this destination; a workspace cannot allow it."]
WRONG: list[tuple[str, str, Any, dict[str, list[str]]]] = [
    (
        *("PUT", ""),
        {"us": "allowed", "ZZ": "blocked", "US": "maybe", "KP": "allowed", "CA": "allowed"},
        {"us": ISO, "ZZ": ISO, "US": STATUS, "KP": DENIED},
    ),
    ("POST", "/allow", ["CA", "us", "KP", ""], {"[1]": ISO, "[2]": DENIED, "[3]": ISO}),
    ("POST", "/block", ["KP", "UK", "USA"], {"[1]": ISO, "[2]": ISO}),
]


@pytest.mark.parametrize(("method", "below", "given", "details"), WRONG)
def test_every_wrong_entry_is_named_by_its_json_path_at_once(
    policy: PolicyClient, method: str, below: str, given: Any, details: dict[str, list[str]]
) -> None:
    policy = policy.a_stranger(denied=("KP",))
    answer = policy.ask(method, below, {"destinations": given})
    assert answer.status_code == 422
    assert set(answer.json) == {"code", "message", "details"}
    assert answer.json["code"] == "ValidationFailed"
    places = {place if place[0] == "[" else f".{place}": text for place, text in details.items()}
    assert answer.json["details"] == {f"$.destinations{at}": text for at, text in places.items()}
    assert policy.destinations == {"US": "allowed"}


def test_a_key_comes_as_the_seed_says_and_no_other_way(policy: PolicyClient) -> None:
    token = policy.tenant.keys[Role.VIEWER]

    def ask(**headers: str) -> tuple[int, set[str]]:
        answer = policy.gateway.client.get(policy.path, headers=headers)
        return answer.status_code, set(answer.get_json())

    assert ask(Authorization=f"AccessKey {token}") == (200, KEYS)
    refused = (401, {"code", "message"})
    assert ask() == refused
    assert ask(Authorization=f"Bearer {token}") == refused
    assert ask(Authorization=token) == refused
    assert ask(Authorization="AccessKey ") == refused
    assert ask(Authorization=f"AccessKey {token[:-1]}") == refused
