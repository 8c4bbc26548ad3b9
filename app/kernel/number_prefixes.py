"""Possible prefixes of phone numbers in canonical form.

A prefix is possible if a libphonenumber pattern of the region still matches with more digits, and
formatting does not change it: "+4407" is not, because the 0 is dropped.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberDesc
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from app.kernel.countries import COUNTRIES
from app.kernel.phone import E164, RETIRED_PREFIXES, NumberKind, PhoneNumber

NOT_A_PREFIX = "Must be the beginning of E.164 numbers, for example +23276."
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}", re.ASCII)
_DIGIT_IN_PATTERN = re.compile(r"\{[^}]*\}|\\d|\[[^\]]*\]|[0-9]")
_DIGITS = "0123456789"
# libphonenumber describes the numbers of a region by kind, but not of these two.
_UNDESCRIBED = {NumberKind.FIXED_LINE_OR_MOBILE, NumberKind.UNKNOWN}
_KINDS = [kind for kind in NumberKind if kind not in _UNDESCRIBED]


def problem_of_prefix(text: str) -> str | None:
    if _PREFIX.fullmatch(text) is None:
        return NOT_A_PREFIX
    if can_begin_a_number(text):
        return None
    canonical = canonical_prefix(text)
    remedy = "" if canonical is None else f"; use {canonical}"
    return f"No phone number in canonical form begins with {text}{remedy}."


def canonical_prefix(text: str) -> str | None:
    """Remove a trunk prefix; None if the result is unclear.

    A trunk prefix alone is refused: "+440" must not become the whole country.
    """
    if _PREFIX.fullmatch(text) is None:
        return None
    if can_begin_a_number(text):
        return text
    code = _calling_code(text)
    if code is None:
        return None
    for trunk in (_trunk_prefix(code), *RETIRED_PREFIXES.get(code, ())):
        national = text.removeprefix(f"+{code}")
        while trunk and national.startswith(trunk):
            national = national.removeprefix(trunk)
            if national and can_begin_a_number(f"+{code}{national}"):
                return f"+{code}{national}"
    return None


@lru_cache(maxsize=4096)
def can_begin_a_number(prefix: str) -> bool:
    code = _calling_code(prefix)
    if code is None:
        digits = prefix.removeprefix("+")
        return any(str(known).startswith(digits) for known in COUNTRY_CODE_TO_REGION_CODE)
    national = prefix.removeprefix(f"+{code}")
    return any(
        PhoneNumber.parse(number) == number
        for pattern in _patterns(code, national)
        for number in _numbers(f"+{code}", national, pattern)
    )


def countries_of_prefix(prefix: str) -> frozenset[str]:
    """Return every country that a number with this prefix may be in."""
    code = _calling_code(prefix)
    if code is None:
        digits = prefix.removeprefix("+")
        known = COUNTRY_CODE_TO_REGION_CODE.items()
        longer = (of_code for one, of_code in known if str(one).startswith(digits))
        return frozenset(chain.from_iterable(longer)) & COUNTRIES
    regions, national = _regions(code), prefix.removeprefix(f"+{code}")
    if len(regions) > 1:
        regions = [one for one in regions if _may_hold(one, national)]
    return frozenset(one.id for one in regions) & COUNTRIES


def _may_hold(region: PhoneMetadata, national: str) -> bool:
    """As libphonenumber chooses a region: by its leading digits, or by its kinds of numbers."""
    leading = region.leading_digits
    if leading is not None:
        begins = re.match(leading, national) is not None
        return begins or _beginning(leading).fullmatch(national) is not None
    kinds: list[PhoneNumberDesc | None] = [getattr(region, kind) for kind in _KINDS]
    patterns = [one.national_number_pattern for one in kinds if one is not None]
    return any(one and _beginning(one).fullmatch(national) for one in patterns)


def _calling_code(prefix: str) -> int | None:
    digits = prefix.removeprefix("+")
    codes = (int(digits[:length]) for length in range(1, min(len(digits), 3) + 1))
    return next((code for code in codes if code in COUNTRY_CODE_TO_REGION_CODE), None)


def _trunk_prefix(code: int) -> str | None:
    trunk: str | None = _regions(code)[0].national_prefix
    return trunk


def _regions(code: int) -> list[PhoneMetadata]:
    regions = phonenumbers.region_codes_for_country_code(code)
    found = [PhoneMetadata.metadata_for_region_or_calling_code(code, one) for one in regions]
    return [one for one in found if one is not None]


def _patterns(code: int, national: str) -> Iterator[str]:
    """Yield the patterns of national numbers with this beginning.

    With the trunk prefix, only the ranges in use count: the region's pattern is too broad.
    """
    trunk = _trunk_prefix(code)
    for region in _regions(code):
        kinds: list[PhoneNumberDesc | None] = [region.general_desc]
        if trunk and national.startswith(trunk):
            kinds = [getattr(region, kind) for kind in _KINDS]
        for kind in kinds:
            if kind is not None and kind.national_number_pattern:
                yield kind.national_number_pattern


def _numbers(plus_code: str, national: str, pattern: str) -> Iterator[str]:
    """Yield some matching numbers with this beginning, spread over its digits."""
    whole, beginning = re.compile(pattern), _beginning(pattern)
    if beginning.fullmatch(national) is None:
        return
    for first in range(len(_DIGITS)):
        digits, number = _DIGITS[first:] + _DIGITS[:first], national
        while E164.fullmatch(plus_code + number) or len(plus_code + number) < len("+12"):
            if whole.fullmatch(number):
                yield plus_code + number
            found = (number + digit for digit in digits)
            longer = next((one for one in found if beginning.fullmatch(one)), None)
            if longer is None:
                break
            number = longer


@lru_cache(maxsize=1024)
def _beginning(pattern: str) -> re.Pattern[str]:
    return re.compile(
        _DIGIT_IN_PATTERN.sub(
            lambda found: found[0] if found[0][0] == "{" else rf"(?:{found[0]}|\Z)", pattern
        )
    )


def next_prefix(prefix: str) -> str | None:
    """Return the smallest prefix after all numbers with this one, if any."""
    kept = prefix.rstrip("9")
    return None if kept == "+" else f"{kept[:-1]}{int(kept[-1]) + 1}"
