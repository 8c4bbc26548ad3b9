"""Rules finer than a country, through the door that sends and the one that only asks."""

from datetime import timedelta

import pytest

from app.kernel.clock import rfc3339
from support.destinations import FAR, PolicyClient, revision_of
from support.factories import BR_NUMBER, US_NUMBER
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

NEIGHBOUR = "+12025550124"
PR_NUMBER = "+17875550123"
# From the least to the most specific of what speaks of US_NUMBER.
LADDER = [
    ("country", "US"),
    ("prefix", "+1"),
    ("prefix", "+1202"),
    ("prefix", "+12025550"),
    ("number", US_NUMBER),
]


def _verdict(policy: PolicyClient, number: str) -> tuple[bool, str]:
    """What the check says of a number, once the send agrees with it to the last field."""
    (verdict,) = policy.check(number)
    answer = policy.gateway.send(policy.tenant, to=number)
    assert (answer.status_code == 201) == verdict["allowed"]
    if answer.status_code != 201:
        details = answer.json["details"]
        for name in ("country", "rule", "scope", "source", "revision"):
            assert details[name] == verdict[name]
    return verdict["allowed"], verdict["rule"]


@pytest.mark.parametrize("first", ["allowed", "blocked"])
def test_the_most_specific_rule_wins_step_by_step(policy: PolicyClient, first: str) -> None:
    other = {"allowed": "blocked", "blocked": "allowed"}
    action = first
    for kind, value in LADDER:
        policy.add_rule(kind, value, action)
        assert _verdict(policy, US_NUMBER) == (action == "allowed", kind)
        action = other[action]
    for rule in reversed(policy.get("/rules")["items"]):
        assert _verdict(policy, US_NUMBER) == (rule["action"] == "allowed", rule["kind"])
        assert policy.drop_rule(rule["id"]).status_code == 204
    assert _verdict(policy, US_NUMBER) == (True, "country")


def test_a_rule_applies_only_to_its_numbers(policy: PolicyClient) -> None:
    policy.add_rule("number", US_NUMBER, "blocked")
    assert not policy.reaches(US_NUMBER)
    assert policy.reaches(NEIGHBOUR)
    policy.add_rule("prefix", "+1202555012", "blocked")
    assert not policy.reaches(NEIGHBOUR)
    assert policy.reaches("+12025550133")


def test_a_country_rule_matches_the_region_and_a_prefix_rule_the_digits(
    policy: PolicyClient,
) -> None:
    policy.add_rule("country", "PR", "allowed")
    assert policy.reaches(PR_NUMBER)
    policy.add_rule("country", "US", "blocked")
    assert policy.reaches(PR_NUMBER)
    assert not policy.reaches(US_NUMBER)
    policy.add_rule("prefix", "+1", "blocked")
    assert not policy.reaches(PR_NUMBER)


@pytest.mark.both_engines
def test_blocking_a_prefix_during_an_incident_is_one_call(policy: PolicyClient) -> None:
    policy.allow("SL")
    pumped, spared = "+23276123456", "+23230123456"
    assert policy.reaches(pumped)
    answer = policy.add_rule("prefix", "+23276", "blocked", reason="artificial traffic")
    assert answer.status_code == 201
    assert not policy.reaches(pumped)
    assert policy.reaches(spared)
    assert policy.drop_rule(answer.json["id"]).status_code == 204
    assert policy.reaches(pumped)


@pytest.mark.both_engines
def test_a_number_can_be_let_through_a_blocked_country(policy: PolicyClient) -> None:
    policy.block("BR")
    policy.add_rule("number", BR_NUMBER, "allowed", reason="our own tester")
    assert policy.reaches(BR_NUMBER)
    assert not policy.reaches("+5511961234568")


def test_a_rule_of_the_same_kind_and_value_takes_the_place_of_the_older(
    policy: PolicyClient,
) -> None:
    first = policy.add_rule("prefix", "+1", "blocked", reason="one").json
    second = policy.add_rule("prefix", "+1", "allowed", reason="two", expires_at=FAR)
    assert revision_of(second) == 3
    assert policy.get("/rules")["items"] == [second.json]
    assert policy.drop_rule(first["id"]).status_code == 404
    policy.add_rule("country", "US", "blocked")
    assert len(policy.get("/rules")["items"]) == 2
    assert policy.reaches(US_NUMBER)


def test_a_rule_holds_until_the_instant_that_it_expires(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    def at(seconds: float) -> str:
        return rfc3339(clock.at + timedelta(seconds=seconds))

    timed_policy.add_rule("prefix", "+1202", "blocked", expires_at=at(60))
    timed_policy.add_rule("number", US_NUMBER, "allowed", expires_at=at(30))
    assert _verdict(timed_policy, US_NUMBER) == (True, "number")
    clock.advance(29.999)
    assert _verdict(timed_policy, US_NUMBER) == (True, "number")
    clock.advance(0.001)
    assert _verdict(timed_policy, US_NUMBER) == (False, "prefix")
    clock.advance(29.999)
    assert _verdict(timed_policy, US_NUMBER) == (False, "prefix")
    clock.advance(0.001)
    assert _verdict(timed_policy, US_NUMBER) == (True, "country")
    assert len(timed_policy.get("/rules")["items"]) == 2


def test_a_temporary_allowance_ends_by_itself_and_keeps_its_reason(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    until = rfc3339(clock.at + timedelta(hours=2))
    answer = timed_policy.allow_until(until, "BR", "BR", X_Change_Reason="the fair in São Paulo")
    assert (answer.status_code, answer.json["destinations"]) == (200, {"US": "allowed"})
    (rule,) = timed_policy.get("/rules")["items"]
    assert (rule["kind"], rule["value"], rule["action"]) == ("country", "BR", "allowed")
    assert (rule["expires_at"], rule["reason"]) == (until, "the fair in São Paulo")
    assert timed_policy.reaches(BR_NUMBER)
    clock.advance(7200)
    assert not timed_policy.reaches(BR_NUMBER)
    assert timed_policy.revision == 2


@pytest.mark.both_engines
def test_a_temporary_allowance_outranks_an_explicit_block_and_can_be_prolonged(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    timed_policy.block("BR")
    timed_policy.allow_until(rfc3339(clock.at + timedelta(hours=1)), "BR")
    assert timed_policy.destinations["BR"] == "blocked"
    timed_policy.allow_until(rfc3339(clock.at + timedelta(hours=3)), "BR")
    assert len(timed_policy.get("/rules")["items"]) == 1
    clock.advance(2 * 3600)
    assert timed_policy.reaches(BR_NUMBER)
    clock.advance(3600)
    assert not timed_policy.reaches(BR_NUMBER)


def test_a_null_end_allows_for_good(policy: PolicyClient) -> None:
    answer = policy.ask("POST", "/allow", {"destinations": ["BR"], "until": None})
    assert answer.json["destinations"] == {"US": "allowed", "BR": "allowed"}
    assert policy.get("/rules")["items"] == []


def _values(policy: PolicyClient) -> list[tuple[str, str]]:
    return [(rule["value"], rule["action"]) for rule in policy.get("/rules")["items"]]


FINER = [("+1787", "blocked"), (US_NUMBER, "allowed")]


def _with_rules(policy: PolicyClient) -> None:
    policy.add_rule("country", "US", "blocked")
    policy.add_rule("country", "BR", "allowed")
    policy.add_rule("prefix", "+1787", "blocked")
    policy.add_rule("number", US_NUMBER, "allowed")


def test_allowing_a_country_removes_contradicting_country_rules(policy: PolicyClient) -> None:
    _with_rules(policy)
    policy.allow("US", "BR")
    assert _values(policy) == [("BR", "allowed"), *FINER]
    assert policy.reaches(NEIGHBOUR)


@pytest.mark.both_engines
def test_blocking_a_country_removes_contradicting_country_rules(policy: PolicyClient) -> None:
    _with_rules(policy)
    policy.block("BR", "US")
    assert _values(policy) == [("US", "blocked"), *FINER]
    assert not policy.reaches(BR_NUMBER)


def test_a_put_removes_every_contradicting_country_rule(policy: PolicyClient) -> None:
    _with_rules(policy)
    policy.put({"US": "allowed"})
    assert _values(policy) == FINER
    assert policy.reaches(NEIGHBOUR)
    assert not policy.reaches(BR_NUMBER)


def test_a_country_level_change_leaves_the_rules_of_other_countries_alone(
    policy: PolicyClient,
) -> None:
    _with_rules(policy)
    before = _values(policy)
    policy.allow("FR")
    policy.block("DE")
    assert _values(policy) == before


def test_removing_only_a_rule_is_a_change_too(policy: PolicyClient) -> None:
    policy.add_rule("country", "US", "blocked")
    assert not policy.reaches(US_NUMBER)
    assert revision_of(policy.allow("US")) == 3
    assert policy.reaches(US_NUMBER)
    assert policy.history()[0]["changes"] == [{"country": "US", "from": "blocked", "to": "allowed"}]


@pytest.mark.both_engines
def test_rules_are_listed_oldest_first_in_pages(policy: PolicyClient) -> None:
    values = [f"+1{n}" for n in range(201, 231)]
    for value in reversed(values):
        policy.add_rule("prefix", value, "blocked")
    first = policy.get("/rules")
    policy.add_rule("prefix", "+1231", "blocked")
    second = policy.get(f"/rules?limit=11&page_token={first['next_page_token']}")
    assert len(first["items"]) == 20
    found = [rule["value"] for rule in first["items"] + second["items"]]
    assert found == [*reversed(values), "+1231"]
    assert second["next_page_token"] is None
    assert set(policy.get("/rules?limit=101&to=1")["details"]) == {"$.limit", "$.to"}
