"""Every destination there is can be allowed and blocked, and a send does what the verdict says."""

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from app.kernel.countries import BESIDE_ISO, COUNTRIES, ISO_CODES
from app.kernel.phone import resolve
from support.destinations import Desk

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


EXAMPLES = {code: _example(code) for code in sorted(COUNTRIES)}


def test_the_examples_are_what_this_module_says_of_them() -> None:
    assert len(ISO_CODES) == 249
    assert COUNTRIES - ISO_CODES == BESIDE_ISO == {"XK", "AC", "TA"}
    assert {code for code, number in EXAMPLES.items() if number is None} == WITHOUT_NUMBERS
    textless = {
        code for code, number in EXAMPLES.items() if number and not resolve(number).receives_sms
    }
    assert textless == WITHOUT_TEXTS


def _answers(desk: Desk, number: str) -> tuple[bool, str | None, str | None]:
    """The verdict, once the send agrees with it."""
    (verdict,) = desk.check(number)
    answer = desk.gateway.send(desk.tenant, to=number)
    assert answer.status_code == (201 if verdict["allowed"] else 422)
    code = None if verdict["allowed"] else answer.json["code"]
    assert code == verdict["code"]
    return verdict["allowed"], code, verdict["country"]


def _allow_and_block(desk: Desk, code: str, number: str | None) -> None:
    can_be_reached = number is not None and code not in WITHOUT_TEXTS
    assert desk.allow(code).json["destinations"][code] == "allowed"
    if number is not None:
        refused = None if can_be_reached else "InvalidDestination"
        assert _answers(desk, number) == (can_be_reached, refused, code)
    found = desk.block(code).json["configuration"]["destinations"]
    assert found[code] == "blocked"
    assert "allowed" not in found.values()
    if number is not None:
        refused = "DestinationBlocked" if can_be_reached else "InvalidDestination"
        assert _answers(desk, number) == (False, refused, code)


def test_each_one_is_allowed_and_blocked_and_nothing_else_with_it(desk: Desk) -> None:
    tried = 0
    for start in range(0, len(EXAMPLES), 28):
        own = desk.a_colleague(destinations={})
        some = dict(list(EXAMPLES.items())[start : start + 28])
        for code, number in some.items():
            _allow_and_block(own, code, number)
        assert own.destinations == dict.fromkeys(some, "blocked")
        assert own.revision == 1 + 2 * len(some)
        tried += len(some)
    assert tried == 252


def test_allowing_one_reaches_no_other_by_the_same_calling_code(desk: Desk) -> None:
    numbers = {code: number for code, number in EXAMPLES.items() if number is not None}
    for code in ("US", "GB", "AU", "RU", "FR", "NO", "NZ"):
        desk.put({code: "allowed"})
        verdicts = desk.check(*numbers.values())
        assert [v["country"] for v in verdicts if v["allowed"]] == [code]
