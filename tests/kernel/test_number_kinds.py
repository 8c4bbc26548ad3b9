"""Numbers of no country, and which kinds of numbers can receive SMS."""

import phonenumbers
import pytest
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from app.destinations.policy.evaluate import Access, Policy
from app.kernel.countries import COUNTRIES
from app.kernel.errors import DestinationBlocked, InvalidDestination
from app.kernel.phone import NumberKind, resolve
from app.messages.sending.admission import check_destination
from support.decisions import NOW, decision
from support.each import each

NON_GEOGRAPHIC = [
    phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
    if regions == ("001",)
    and (example := phonenumbers.example_number_for_non_geo_entity(code)) is not None
]


def test_the_calling_codes_without_a_country_are_all_tried() -> None:
    codes = {phonenumbers.parse(number).country_code for number in NON_GEOGRAPHIC}
    assert codes == {800, 808, 870, 878, 881, 882, 883, 888, 979}


@each("number", NON_GEOGRAPHIC)
def test_number_of_any_kind_without_a_country_is_blocked_as_no_country(number: str) -> None:
    found = resolve(number)
    assert (found.is_real, found.country) == (True, None)
    assert decision(number) == "no_country"
    everything = Policy(revision=1, destinations=dict.fromkeys(COUNTRIES, Access.ALLOWED))
    with pytest.raises(DestinationBlocked) as blocked:
        check_destination(everything, found, NOW)
    assert blocked.value.details is not None
    assert blocked.value.details["country"] is None


def test_numbers_without_a_country_come_in_kinds_that_can_and_that_cannot_receive_sms() -> None:
    assert {resolve(number).receives_sms for number in NON_GEOGRAPHIC} == {True, False}


@each("last", range(10))
def test_twilios_magic_numbers_pass(last: int) -> None:
    assert decision(f"+1500555000{last}") == "allowed"


def test_twilios_virtual_phone_passes() -> None:
    assert decision("+18777804236") == "allowed"


# One real number of each kind, and whether it can receive SMS there.
KINDS = [
    ("+79123456789", NumberKind.MOBILE, True),
    ("+12025550123", NumberKind.FIXED_LINE_OR_MOBILE, True),
    ("+445612345678", NumberKind.VOIP, True),
    ("+18002345678", NumberKind.TOLL_FREE, True),
    ("+448001234567", NumberKind.TOLL_FREE, False),
    ("+15005550006", NumberKind.PERSONAL_NUMBER, True),
    ("+447012345678", NumberKind.PERSONAL_NUMBER, False),
    ("+442071234567", NumberKind.FIXED_LINE, False),
    ("+19002345678", NumberKind.PREMIUM_RATE, False),
    ("+611300123456", NumberKind.SHARED_COST, False),
    ("+61163123456", NumberKind.PAGER, False),
    ("+443031231234", NumberKind.UAN, False),
    ("+3538551234567", NumberKind.VOICEMAIL, False),
]


@each(("number", "kind", "receives"), KINDS, ids=[case[0] for case in KINDS])
def test_which_kinds_of_numbers_receive_sms(number: str, kind: NumberKind, receives: bool) -> None:
    found = resolve(number)
    assert (found.is_real, found.kind, found.receives_sms) == (True, kind, receives)
    if not receives:
        with pytest.raises(InvalidDestination) as refused:
            check_destination(Policy(1, {found.country or "": Access.ALLOWED}), found, NOW)
        assert refused.value.details == {
            "reason": "cannot_receive_sms",
            "kind": kind,
            "country": found.country,
        }


def test_every_kind_but_the_unknown_one_was_tried() -> None:
    assert {kind for _, kind, _ in KINDS} == set(NumberKind) - {NumberKind.UNKNOWN}
