"""Every destination there is can be allowed and blocked, and a send does what the verdict says."""

from functools import cache

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from app.kernel.countries import BESIDE_ISO, COUNTRIES, ISO_CODES
from app.kernel.phone import resolve
from support.destinations import PolicyClient

pytestmark = pytest.mark.one_engine

KINDS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.FIXED_LINE)
# Listed by ISO 3166-1, without a number that libphonenumber calls theirs.
WITHOUT_NUMBERS = {"AQ", "BV", "EH", "GS", "HM", "MF", "PN", "TF", "UM"}
# Landlines alone; their mobile numbers are a neighbour's (FI, GP, AU, NO, IT), or none.
WITHOUT_TEXTS = {"AX", "BL", "CC", "CX", "SJ", "TA", "VA"}
# Where libphonenumber's own example of a mobile number is a neighbour's.
BETTER = {"IM": "+447624212345"}


def _example(code: str) -> str | None:
    """An example number of a region, a mobile one where there is one."""
    if code in BETTER:
        return BETTER[code]
    for kind in KINDS:
        found = phonenumbers.example_number_for_type(code, kind)
        if found is not None:
            number: str = phonenumbers.format_number(found, PhoneNumberFormat.E164)
            if resolve(number).country == code:
                return number
    return None


@cache
def examples() -> dict[str, str | None]:
    return {code: _example(code) for code in sorted(COUNTRIES)}


def test_the_examples_have_their_claimed_properties() -> None:
    assert len(ISO_CODES) == 249
    assert COUNTRIES - ISO_CODES == BESIDE_ISO == {"XK", "AC", "TA"}
    assert {code for code, number in examples().items() if number is None} == WITHOUT_NUMBERS
    textless = {
        code for code, number in examples().items() if number and not resolve(number).receives_sms
    }
    assert textless == WITHOUT_TEXTS


def _expected(code: str, allowed: bool) -> tuple[bool, str | None]:
    """The verdict of a region's example and the code of its refusal."""
    if code in WITHOUT_TEXTS:
        return False, "InvalidDestination"
    return (True, None) if allowed else (False, "DestinationBlocked")


def _wrong_verdicts(
    policy: PolicyClient, numbers: dict[str, str], allowed: set[str]
) -> list[object]:
    """The verdicts that are not those of a policy which allows some regions and blocks the rest."""
    verdicts = policy.check(*numbers.values())
    return [
        verdict
        for code, verdict in zip(numbers, verdicts, strict=True)
        if (verdict["allowed"], verdict["code"]) != _expected(code, code in allowed)
        or verdict["country"] != code
    ]


def _sent(policy: PolicyClient, number: str) -> tuple[bool, str | None]:
    answer = policy.gateway.send(policy.tenant, to=number)
    return answer.status_code == 201, answer.json.get("code")


def test_each_country_is_allowed_and_blocked_alone(policy: PolicyClient) -> None:
    wrong: list[object] = []
    tried = 0
    for start in range(0, len(examples()), 28):
        own = policy.a_colleague(destinations={})
        some = dict(list(examples().items())[start : start + 28])
        numbers = {code: number for code, number in some.items() if number is not None}
        own.put(dict.fromkeys(some, "blocked"))
        for place, code in enumerate(some):
            answer = own.allow(code).json["destinations"]
            allowed = set(list(some)[: place + 1])
            if {of for of, action in answer.items() if action == "allowed"} != allowed:
                wrong.append((code, answer))
            wrong += _wrong_verdicts(own, numbers, allowed)
            if code in numbers and _sent(own, numbers[code]) != _expected(code, allowed=True):
                wrong.append((code, "sent"))
        own.block(*some)
        assert own.destinations == dict.fromkeys(some, "blocked")
        assert own.revision == 3 + len(some)
        wrong += _wrong_verdicts(own, numbers, set())
        wrong += [
            (code, "sent though blocked")
            for code, number in numbers.items()
            if _sent(own, number) != _expected(code, allowed=False)
        ]
        tried += len(some)
    assert wrong == []
    assert tried == 252


def test_allowing_one_reaches_no_other_by_the_same_calling_code(policy: PolicyClient) -> None:
    numbers = {code: number for code, number in examples().items() if number is not None}
    for code in ("US", "GB", "AU", "RU", "FR", "NO", "NZ"):
        policy.put({code: "allowed"})
        verdicts = policy.check(*numbers.values())
        assert [v["country"] for v in verdicts if v["allowed"]] == [code]
