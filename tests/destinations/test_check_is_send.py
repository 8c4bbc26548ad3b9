"""What the check says of a number is what a send of it meets, to the last field."""

from functools import cache
from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings, strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from app.kernel.ids import new_id
from app.kernel.phone import NumberKind, is_e164
from app.use_cases.tables import use_cases
from support.destinations import PolicyClient
from support.factories import US_NUMBER
from support.geo import store
from support.layers import NUMBERS, Stack, bounded, lay, stacks
from support.served import Served
from support.tables import unchanged

pytestmark = pytest.mark.one_engine

KEYS = {
    *("number", "canonical", "allowed", "code", "country", "rule", "scope", "source", "revision"),
    "provider_closed",
}


@cache
def examples() -> list[str]:
    """An example of every kind of number of every region, and of what belongs to none."""
    kinds = [getattr(PhoneNumberType, kind.name) for kind in NumberKind]
    found = [
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in kinds
    ]
    found += [
        phonenumbers.example_number_for_non_geo_entity(code)
        for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS)
    ]
    texts = {phonenumbers.format_number(one, PhoneNumberFormat.E164) for one in found if one}
    return sorted(texts)


_numbers = st.one_of(
    st.deferred(lambda: st.sampled_from(examples())),
    st.sampled_from(list(NUMBERS.values())),
    st.from_regex(r"\A\+[1-9][0-9]{1,14}\Z"),
    st.text(
        max_size=20, alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    ),
)


def _as_sent(policy: PolicyClient, number: str) -> dict[str, Any]:
    """What a send meets, in the words of a verdict; what a refusal does not tell is left out."""
    answer = policy.gateway.send(policy.tenant, to=number)
    if answer.status_code == 201:
        return {"allowed": True, "code": None}
    assert answer.status_code == 422, answer.text
    if answer.json["code"] == "ValidationFailed":
        # A send takes E.164 alone; of any other text the check can only say that it is no number.
        assert set(answer.json["details"]) == {"$.to_phone_number"}
        assert not is_e164(number)
        return {"allowed": False, "code": "InvalidDestination", "country": None, "rule": None}
    details = answer.json["details"]
    names = ("country", "rule", "scope", "source", "revision")
    found = {name: details[name] for name in names if name in details}
    return {"allowed": False, "code": answer.json["code"]} | found


def _agree(policy: PolicyClient, numbers: list[str]) -> set[str | None]:
    """Compare the verdicts with sends and return which codes there were."""
    revision = policy.revision
    verdicts = policy.check(*numbers)
    assert [verdict["number"] for verdict in verdicts] == numbers
    for verdict in verdicts:
        assert set(verdict) == KEYS
        assert verdict["revision"] == revision
        sent = _as_sent(policy, verdict["number"])
        assert {name: verdict[name] for name in sent} == sent, verdict
    return {verdict["code"] for verdict in verdicts}


@pytest.fixture(scope="module")
def pair(served: Served) -> tuple[PolicyClient, PolicyClient]:
    """A workspace and its parent, for every example of this module."""
    organization_id = served.factory.organization("check")
    parent = served.factory.tenant(organization_id, "parent")
    own = served.factory.tenant(organization_id, "own", parent_id=parent.workspace_id)
    policy = PolicyClient(served.gateway, own, served.factory)
    return policy, policy.of(parent)


@settings(bounded, max_examples=40)
@given(stack=stacks, numbers=st.lists(_numbers, min_size=1, max_size=5))
def test_verdicts_and_sends_agree_under_any_policy(
    pair: tuple[PolicyClient, PolicyClient], stack: Stack, numbers: list[str]
) -> None:
    policy, parent = pair
    # A check that names no use case is about the workspace: the subset of a use case is tested below.
    lay(policy, parent, Stack(**{**_fields(stack), "use_case": None}))
    _agree(policy, [*numbers, stack.number])


def _fields(stack: Stack) -> dict[str, Any]:
    return {name: getattr(stack, name) for name in Stack.__dataclass_fields__}


@bounded
@given(stack=stacks)
def test_a_check_for_a_use_case_agrees_with_its_sends(
    pair: tuple[PolicyClient, PolicyClient], stack: Stack
) -> None:
    policy, parent = pair
    lay(policy, parent, stack)
    body = {"numbers": [stack.number], "use_case_id": str(policy.tenant.use_case_id)}
    (verdict,) = policy.ask("POST", "/check", body).json["verdicts"]
    sent = _as_sent(policy, stack.number)
    assert {name: verdict[name] for name in sent} == sent


def test_verdicts_and_sends_agree_for_every_kind_of_number_of_every_region(
    policy: PolicyClient,
) -> None:
    allowed = sorted(
        {phonenumbers.region_code_for_number(phonenumbers.parse(n)) or "" for n in examples()[::3]}
    )
    policy.put({code: "allowed" for code in allowed if len(code) == 2 and code.isalpha()})
    policy.add_rule("prefix", "+4", "blocked")
    policy.add_rule("prefix", "+44", "allowed")
    policy.add_rule("number", examples()[7], "blocked")
    codes: set[str | None] = set()
    for start in range(0, len(examples()), 500):
        codes |= _agree(policy, examples()[start : start + 500])
    assert codes == {None, "DestinationBlocked", "InvalidDestination"}


def test_a_thousand_numbers_are_judged_in_the_order_asked_and_one_more_is_refused(
    policy: PolicyClient,
) -> None:
    numbers = [f"+1202555{n:04d}" for n in range(0, 1998, 2)] + ["+12025550000"]
    policy.add_rule("prefix", "+12025551", "blocked")
    with unchanged(policy.factory.database):
        verdicts = policy.check(*reversed(numbers))
        assert [verdict["number"] for verdict in verdicts] == numbers[::-1]
        assert [v["allowed"] for v in verdicts] == [n[8] == "0" for n in numbers[::-1]]
        longest = ["+" + "9" * 15] * 1000
        assert len(policy.check(*longest)) == 1000
        for wrong, path in [
            ([*numbers, US_NUMBER], "$.numbers"),
            ([], "$.numbers"),
            (None, "$.numbers"),
            (US_NUMBER, "$.numbers"),
            ([US_NUMBER, 5], "$.numbers[1]"),
            ([None], "$.numbers[0]"),
            (["+" * 65], "$.numbers[0]"),
            (["\x00"], "$.numbers[0]"),
        ]:
            answer = policy.ask("POST", "/check", {"numbers": wrong})
            assert (answer.status_code, set(answer.json["details"])) == (422, {path})
    assert policy.gateway.twilio.calls == []


def test_an_unknown_use_case_of_a_check_is_named_whoever_has_it(policy: PolicyClient) -> None:
    colleague = policy.a_colleague()
    deleted = policy.factory.use_case(policy.tenant.workspace_id, deleted_at=policy.factory.now)
    answers = {
        policy.ask("POST", "/check", {"numbers": [US_NUMBER], "use_case_id": str(use_case_id)}).data
        for use_case_id in (new_id(), colleague.tenant.use_case_id, deleted)
    }
    (only,) = answers
    assert b'"$.use_case_id"' in only


def test_a_use_case_without_a_subset_adds_nothing_and_an_empty_one_blocks_all(
    policy: PolicyClient,
) -> None:
    def verdict() -> dict[str, Any]:
        body = {"numbers": [US_NUMBER], "use_case_id": str(policy.tenant.use_case_id)}
        found: dict[str, Any] = policy.ask("POST", "/check", body).json["verdicts"][0]
        return found

    assert verdict()["allowed"] is True
    policy.factory.set(use_cases, policy.tenant.use_case_id, allowed_destinations=[])
    assert (verdict()["allowed"], verdict()["scope"]) == (False, "use_case")
    assert policy.check(US_NUMBER)[0]["allowed"] is True


def test_a_check_shows_a_known_block_by_the_provider(policy: PolicyClient) -> None:
    sid = "AC" + new_id().hex
    found = policy.a_colleague(account_sid=sid, destinations={"US": "allowed", "BR": "blocked"})
    store(policy.factory.database, sid, US=False, BR=True)
    verdicts = found.check(US_NUMBER, NUMBERS["BR"], NUMBERS["GG"], "+881612345678", "junk")
    assert [v["provider_closed"] for v in verdicts] == [True, False, None, None, None]
    assert [v["allowed"] for v in verdicts] == [True, False, False, False, False]
    assert policy.tenant.account_sid != sid
    assert policy.check(US_NUMBER)[0]["provider_closed"] is None
