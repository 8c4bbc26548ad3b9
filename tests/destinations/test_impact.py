"""What a change would have done to the last 30 days: every message and refusal, none of others."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.access.tables import organizations
from app.destinations.policy.evaluate import Policy, Source, decide
from app.kernel.phone import resolve
from app.messages.tables import messages
from app.use_cases.tables import use_cases
from support.destinations import PolicyClient
from support.factories import BR_NUMBER, US_NUMBER
from support.layers import COUNTRIES, NUMBERS, Stack, bounded, lay, maps, stacks
from support.time import ManualClock
from support.traffic import Past, write_messages, write_refusals

DAYS = timedelta(days=30)
INSTANT = timedelta(milliseconds=1)
NEIGHBOUR = "+12025550124"
NOTHING = {"days": 30, "would_block": [], "would_release": []}


def _impact(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json["impact"]
    assert found.pop("days") == 30
    return found


def _blocked(answer: Any) -> list[tuple[str, int, int]]:
    """The countries that would be cut off, with their messages and segments; nothing released."""
    found = _impact(answer)
    assert found["would_release"] == []
    return [(one["country"], one["messages"], one["segments"]) for one in found["would_block"]]


def _released(answer: Any) -> list[tuple[str, int]]:
    found = _impact(answer)
    assert found["would_block"] == []
    return [(one["country"], one["refusals"]) for one in found["would_release"]]


def _sent(
    policy: PolicyClient, *numbers: str, at: datetime, segments: int = 1, **fields: Any
) -> None:
    past = [Past(policy.tenant, number, at, segments, **fields) for number in numbers]
    write_messages(policy.factory.database, past)


def test_it_counts_the_messages_and_segments_of_exactly_30_days(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    since = clock.at - DAYS
    _sent(timed_policy, US_NUMBER, at=since, segments=3)
    _sent(timed_policy, US_NUMBER, NEIGHBOUR, at=clock.at - INSTANT)
    _sent(timed_policy, US_NUMBER, at=since - INSTANT, segments=100)
    assert _blocked(timed_policy.trying.block("US")) == [("US", 3, 5)]
    assert _blocked(timed_policy.trying.put({})) == [("US", 3, 5)]


def test_only_messages_that_may_have_reached_the_provider_count(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    for submission in ("accepted", "unconfirmed", "open"):
        _sent(timed_policy, US_NUMBER, at=clock.at, submission=submission)
    for submission in ("refused", "never_processed"):
        _sent(timed_policy, US_NUMBER, at=clock.at, segments=50, submission=submission)
    assert _blocked(timed_policy.trying.block("US")) == [("US", 3, 3)]


def test_it_counts_refusals_of_the_policy_and_no_others(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    database, own = timed_policy.factory.database, timed_policy.tenant
    write_refusals(database, own, BR_NUMBER, clock.at, times=3)
    write_refusals(database, own, BR_NUMBER, clock.at - timedelta(days=29), times=2)
    write_refusals(database, own, BR_NUMBER, clock.at - timedelta(days=32), times=50)
    write_refusals(database, own, BR_NUMBER, clock.at, times=50, source=Source.PROVIDER)
    write_refusals(database, own, BR_NUMBER, clock.at, times=50, code="RecipientOptedOut")
    write_refusals(database, own, US_NUMBER, clock.at, times=50)
    assert _released(timed_policy.trying.allow("BR", "US")) == [("BR", 5)]
    assert _released(timed_policy.trying.allow_until("2999-01-01T00:00:00Z", "BR")) == [("BR", 5)]
    assert _impact(timed_policy.trying.put({"BR": "allowed", "US": "allowed"}))[
        "would_release"
    ] == [{"country": "BR", "refusals": 5}]


def test_it_counts_no_refusal_that_the_use_case_would_repeat(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    factory, own = timed_policy.factory, timed_policy.tenant
    write_refusals(factory.database, own, BR_NUMBER, clock.at, times=3)
    for allowed, released in ((["CA"], []), (["BR"], [("BR", 3)]), (None, [("BR", 3)])):
        factory.set(use_cases, own.use_case_id, allowed_destinations=allowed)
        assert _released(timed_policy.trying.allow("BR")) == released


def test_refusals_that_the_cap_left_unlisted_are_counted_all_the_same(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    write_refusals(
        timed_policy.factory.database, timed_policy.tenant, BR_NUMBER, clock.at, times=150
    )
    assert _released(timed_policy.trying.allow("BR")) == [("BR", 150)]


def test_countries_come_in_the_order_of_their_codes_each_once(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    timed_policy.allow("GG", "BR", "CA")
    _sent(timed_policy, *NUMBERS.values(), *NUMBERS.values(), at=clock.at)
    blocked = _blocked(timed_policy.trying.put({"CA": "allowed"}))
    assert blocked == [("BR", 2, 2), ("GG", 2, 2), ("US", 2, 2)]


@pytest.mark.parametrize(
    ("kind", "value", "hit"),
    [
        ("number", US_NUMBER, 1),
        ("prefix", "+12025550", 2),
        ("prefix", "+1202555", 3),
        ("prefix", "+12029", 1),
        ("prefix", "+120299999", 1),
        ("prefix", "+1", 4),
        ("prefix", "+13", 0),
        ("prefix", "+9", 0),
        ("country", "US", 4),
    ],
)
def test_a_finer_rule_counts_its_own_numbers(
    timed_policy: PolicyClient, clock: ManualClock, kind: str, value: str, hit: int
) -> None:
    numbers = [US_NUMBER, NEIGHBOUR, "+12025559999", "+12029999999"]
    _sent(timed_policy, *numbers, at=clock.at, segments=2)
    wanted = [("US", hit, 2 * hit)] if hit else []
    assert _blocked(timed_policy.trying.add_rule(kind, value, "blocked")) == wanted
    assert _impact(timed_policy.trying.add_rule(kind, value, "allowed"))["would_block"] == []


def test_numbers_that_a_finer_rule_spares_are_not_counted(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    timed_policy.add_rule("number", US_NUMBER, "allowed")
    spare = timed_policy.add_rule("prefix", "+12029", "allowed").json
    _sent(timed_policy, US_NUMBER, NEIGHBOUR, "+12029999999", at=clock.at)
    assert _blocked(timed_policy.trying.block("US")) == [("US", 1, 1)]
    timed_policy.block("US")
    assert _blocked(timed_policy.trying.drop_rule(spare["id"])) == [("US", 1, 1)]


def test_an_ineffective_rule_has_no_impact(timed_policy: PolicyClient, clock: ManualClock) -> None:
    timed_policy.add_rule("number", US_NUMBER, "allowed")
    _sent(timed_policy, US_NUMBER, at=clock.at)
    assert _blocked(timed_policy.trying.add_rule("prefix", "+1202", "blocked")) == []


def test_denied_destinations_are_neither_blocked_nor_released(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    timed_policy.allow("BR")
    factory, own = timed_policy.factory, timed_policy.tenant
    factory.set(organizations, own.organization_id, denied_destinations=["BR", "CA"])
    _sent(timed_policy, BR_NUMBER, at=clock.at)
    write_refusals(factory.database, own, NUMBERS["CA"], clock.at, times=4)
    assert _blocked(timed_policy.trying.block("BR")) == []
    assert _released(timed_policy.trying.put({"US": "allowed"})) == []


def test_the_children_that_inherit_are_counted_too_and_no_one_else(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    child = timed_policy.a_child()
    grandchild = child.a_child()
    independent = timed_policy.a_colleague(parent_id=timed_policy.tenant.workspace_id)
    below_it = independent.a_child()
    colleague = timed_policy.a_colleague()
    for found, segments in ((timed_policy, 1), (child, 10), (grandchild, 100)):
        _sent(found, US_NUMBER, at=clock.at, segments=segments)
        write_refusals(timed_policy.factory.database, found.tenant, BR_NUMBER, clock.at, times=2)
    for found in (independent, below_it, colleague, timed_policy.a_stranger()):
        _sent(found, US_NUMBER, at=clock.at, segments=1000)
        write_refusals(timed_policy.factory.database, found.tenant, BR_NUMBER, clock.at, times=9)
    assert _blocked(timed_policy.trying.block("US")) == [("US", 3, 111)]
    assert _blocked(timed_policy.trying.add_rule("prefix", "+1", "blocked")) == [("US", 3, 111)]
    assert _released(timed_policy.trying.allow("BR")) == [("BR", 6)]
    assert _blocked(independent.trying.block("US")) == [("US", 2, 2000)]


def test_switching_inheritance_and_restoring_have_an_impact(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    child = timed_policy.a_colleague(
        parent_id=timed_policy.tenant.workspace_id, destinations={"CA": "allowed"}
    )
    below = child.a_child()
    for found in (child, below):
        _sent(found, NUMBERS["CA"], at=clock.at)
        write_refusals(timed_policy.factory.database, found.tenant, US_NUMBER, clock.at, times=3)
    found = _impact(child.trying.inherit(True))
    assert found["would_block"] == [{"country": "CA", "messages": 2, "segments": 2}]
    assert found["would_release"] == [{"country": "US", "refusals": 6}]
    child.put({"US": "allowed"})
    child.put({"CA": "allowed"})
    found = _impact(child.trying.restore(2))
    assert found["would_block"] == [{"country": "CA", "messages": 2, "segments": 2}]
    assert found["would_release"] == [{"country": "US", "refusals": 6}]


_shapes = st.lists(
    st.tuples(st.sampled_from(COUNTRIES), st.integers(0, 9), st.integers(1, 5), st.booleans()),
    max_size=12,
)


def _sums(past: list[Past], before: Policy, after: Policy, now: datetime) -> dict[str, list[int]]:
    """Judge each message by itself: who was reachable before and would not be after."""
    found: dict[str, list[int]] = {}
    for one in past:
        to = resolve(one.number)
        was, would_be = (decide(policy, to, now).allowed for policy in (before, after))
        if one.at >= now - DAYS and was and not would_be:
            of_country = found.setdefault(str(to.country), [0, 0])
            of_country[0] += 1
            of_country[1] += one.segments
    return found


def test_the_sums_are_those_of_judging_each_message_by_itself(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    policy, parent, now = timed_policy, timed_policy.a_colleague(), clock.at
    of_workspace = messages.c.workspace_id == policy.tenant.workspace_id

    @bounded
    @given(stack=stacks, wanted=maps, shapes=_shapes)
    def holds(stack: Stack, wanted: dict[str, str], shapes: list[Any]) -> None:
        lay(policy, parent, replace(stack, inherits=False, use_case=None))
        past = [
            Past(policy.tenant, NUMBERS[code][:-1] + str(digit), now - age, segments)
            for code, digit, segments, is_old in shapes
            for age in [DAYS + INSTANT if is_old else DAYS]
        ]
        policy.factory.write(messages.delete().where(of_workspace))
        write_messages(policy.factory.database, past)
        wanted = {
            code: "blocked" if code in stack.denied_by_organization else wanted[code]
            for code in wanted
        }
        found = _impact(policy.trying.put(wanted))["would_block"]

        kept = tuple(
            rule
            for rule in stack.rules
            if rule.kind != "country" or rule.action == wanted.get(rule.value, "blocked")
        )
        before = Policy(1, stack.own, stack.denied_by_organization, stack.rules)
        sums = _sums(past, before, Policy(1, wanted, stack.denied_by_organization, kept), now)
        assert {one["country"]: [one["messages"], one["segments"]] for one in found} == sums

    holds()
