"""One subscriber has one form: no other spelling of a number is ever taken for a number."""

from collections.abc import Iterator
from functools import cache

import phonenumbers
import pytest
from hypothesis import given, settings, strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from app.kernel.number_prefixes import (
    can_begin_a_number,
    canonical_prefix,
    countries_of_prefix,
    problem_of_prefix,
)
from app.kernel.phone import PhoneNumber, is_e164, problem_of_number, resolve

SPELLINGS = {
    "+112025550123": "+12025550123",
    "+1112025550123": "+12025550123",
    "+4407400123456": "+447400123456",
    "+44007400123456": "+447400123456",
    "+44447400123456": "+447400123456",
    "+49015112345678": "+4915112345678",
    "+610412345678": "+61412345678",
    "+789121234567": "+79121234567",
    "+54111523456789": "+5491123456789",
    "+5212221234567": "+522221234567",
    "+520442221234567": "+522221234567",
    "+39390612345678": "+390612345678",
    "+3606201234567": "+36201234567",
    "+378886377": "+3780549886377",
}
REAL_AS_THEY_ARE = [
    *("+390612345678", "+2250123456789", "+78005553535", "+12025550123", "+15005550006"),
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_odd_spelling_is_refused_and_its_canonical_form_is_named(text: str) -> None:
    canonical = SPELLINGS[text]
    assert problem_of_number(text) == f"{text} is not in canonical form; use {canonical}."
    assert PhoneNumber.parse(text) == canonical
    assert (resolve(text).number, resolve(text).canonical) == (text, canonical)
    with pytest.raises(ValueError, match="canonical"):
        PhoneNumber(text)


@pytest.mark.parametrize("text", REAL_AS_THEY_ARE)
def test_leading_digits_that_belong_to_the_number_stay(text: str) -> None:
    assert problem_of_number(text) is None
    assert PhoneNumber(text) == text


@pytest.mark.parametrize("text", ["", "+", "12025550123", "+1 202 555 0123", "+999123456", "+1\n"])
def test_text_that_is_no_number_has_no_canonical_form(text: str) -> None:
    assert PhoneNumber.parse(text) is None
    assert problem_of_number(text) is not None


def test_odd_spellings_of_the_numbers_of_all_regions_are_never_accepted() -> None:
    """Break `_format` (return after the first parse, or do not compare) and this fails."""
    accepted, named = [], set()
    for region, number in _examples():
        assert problem_of_number(number) is None, (region, number)
        for text in _other_spellings(region, number):
            found = resolve(text)
            if found.canonical == text and found.is_real and not _is_an_example(text):
                accepted.append((region, number, text))
            if found.canonical == number:
                named.add(region)
    assert accepted == []
    with_trunk = {region for region, _ in _examples() if _trunk(region)}
    assert with_trunk - named == set()


@settings(max_examples=500)
@given(st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True))
def test_canonical_form_is_a_fixed_point(text: str) -> None:
    canonical = PhoneNumber.parse(text)
    if canonical is not None:
        assert PhoneNumber.parse(canonical) == canonical
        assert PhoneNumber(canonical) == canonical


def test_every_beginning_of_a_real_number_is_a_possible_prefix() -> None:
    """Break `_beginning` (leave out the end of the text) and this fails."""
    wrong = {
        number[:length]
        for _, number in _examples()
        for length in range(2, len(number) + 1)
        if not can_begin_a_number(number[:length])
    }
    assert wrong == set()


def test_no_number_keeps_the_trunk_prefix_that_a_refused_prefix_has() -> None:
    refused = {
        prefix
        for region, number in _examples()
        if (prefix := _with_trunk(region, number, 3)) and not can_begin_a_number(prefix)
    }
    assert len(refused) > 300
    begun = {n for _, n in _examples() if any(n[:end] in refused for end in range(2, len(n)))}
    assert begun == set()


@pytest.mark.parametrize(
    ("prefix", "instead"),
    [
        ("+4407", "+447"),
        ("+4407500", "+447500"),
        ("+44007", "+447"),
        ("+112", "+12"),
        ("+6104", "+614"),
        ("+789", "+79"),
        ("+360620", "+3620"),
        ("+52155", "+5255"),
        ("+440", None),
        ("+4400", None),
        ("+4900", None),
        ("+11", None),
        ("+610", None),
        ("+999", None),
        ("+210", None),
        ("+120255501234", None),
        ("+37581", "+3751"),
    ],
)
def test_prefix_that_no_number_begins_with_is_refused(prefix: str, instead: str | None) -> None:
    remedy = f"; use {instead}" if instead else ""
    assert problem_of_prefix(prefix) == (
        f"No phone number in canonical form begins with {prefix}{remedy}."
    )
    assert canonical_prefix(prefix) == instead


@pytest.mark.parametrize(
    "prefix",
    [
        *("+1", "+4", "+7", "+9", "+44", "+447", "+390", "+3906", "+2250", "+1999", "+78"),
        *("+883", "+21"),
    ],
)
def test_possible_prefix_is_accepted(prefix: str) -> None:
    assert problem_of_prefix(prefix) is None
    assert canonical_prefix(prefix) == prefix


@pytest.mark.parametrize("text", ["", "+", "44", "+0", "+44 7", "+44\n", "+1234567890123456"])
def test_text_without_the_form_of_a_prefix_is_refused(text: str) -> None:
    assert problem_of_prefix(text) == "Must be the beginning of E.164 numbers, for example +23276."
    assert canonical_prefix(text) is None


@cache
def _examples() -> tuple[tuple[str, str], ...]:
    found = [
        (region, phonenumbers.example_number_for_type(region, kind))
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in PhoneNumberType.values()
    ]
    found += [
        ("001", phonenumbers.example_number_for_non_geo_entity(code))
        for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
        if regions == ("001",)
    ]
    texts = {
        (region, phonenumbers.format_number(example, PhoneNumberFormat.E164))
        for region, example in found
        if example is not None
    }
    return tuple(sorted((region, text) for region, text in texts if is_e164(text)))


def _is_an_example(text: str) -> bool:
    return any(text == number for _, number in _examples())


def _trunk(region: str) -> str | None:
    metadata = PhoneMetadata.metadata_for_region(region, None) if region != "001" else None
    trunk: str | None = metadata.national_prefix if metadata else None
    return trunk


def _other_spellings(region: str, number: str) -> Iterator[str]:
    parsed = phonenumbers.parse(number)
    plus_code = f"+{parsed.country_code}"
    national = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    yield plus_code + phonenumbers.normalize_digits_only(national)
    for times in (1, 2, 3):
        yield plus_code + (_trunk(region) or "") * times + number.removeprefix(plus_code)


def _with_trunk(region: str, number: str, digits: int) -> str | None:
    trunk = _trunk(region)
    plus_code = f"+{phonenumbers.parse(number).country_code}"
    return plus_code + trunk + number.removeprefix(plus_code)[:digits] if trunk else None


def test_countries_of_a_prefix_are_all_that_its_numbers_may_be_in() -> None:
    found = {
        prefix: countries_of_prefix(prefix)
        for prefix in ("+85", "+850", "+85019", "+1787", "+7", "+79", "+447911", "+2126", "+881")
    }
    assert found == {
        "+85": {"HK", "KH", "KP", "LA", "MO"},
        "+850": {"KP"},
        "+85019": {"KP"},
        "+1787": {"PR"},
        "+7": {"KZ", "RU"},
        "+79": {"RU"},
        "+447911": {"GB", "GG"},
        "+2126": {"EH", "MA"},
        "+881": set(),
    }
    assert {"US", "CA", "PR", "JM"} <= countries_of_prefix("+1")
