"""Phone numbers: canonical form, region, and whether they can receive SMS.

Source: libphonenumber (package ``phonenumbers``), offline. The region is the number's, not its
calling code's: +1 787 is PR, +44 7911 is GG.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Self

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from app.kernel.countries import COUNTRIES

E164 = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)

_NANP = 1
# `phonenumbers.country_code_for_region` loads all data of the region: 10 MiB for all regions.
CALLING_CODES = {
    region: code for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() for region in regions
}


class NumberKind(StrEnum):
    FIXED_LINE = "fixed_line"
    MOBILE = "mobile"
    FIXED_LINE_OR_MOBILE = "fixed_line_or_mobile"
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    VOIP = "voip"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"
    UNKNOWN = "unknown"


_KINDS = {getattr(PhoneNumberType, kind.name): kind for kind in NumberKind}
_RECEIVE_SMS = {NumberKind.MOBILE, NumberKind.FIXED_LINE_OR_MOBILE, NumberKind.VOIP}
# Toll-free and personal numbers receive SMS only in the North American plan;
# Twilio's test numbers (+1 500 555 000x, +1 877 780 4236) are of these kinds.
_RECEIVE_SMS_IN_NANP = _RECEIVE_SMS | {NumberKind.TOLL_FREE, NumberKind.PERSONAL_NUMBER}

NOT_E164 = "Must be in E.164 form, for example +12025550123."
NOT_REAL = "Is not a real phone number."
# Prefixes that libphonenumber no longer removes. Source: Mexico, Plan Técnico Fundamental de
# Numeración: since 2019 a mobile number is called without 1, 01, 044 and 045.
RETIRED_PREFIXES = {52: ("1", "01", "044", "045")}


class PhoneNumber(str):
    """A phone number in canonical form: libphonenumber's E.164 format."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if _canonical_text(text) != text:
            raise ValueError("not a phone number in canonical form")
        return super().__new__(cls, text)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        canonical = _canonical_text(text)
        return None if canonical is None else cls(canonical)


@dataclass(frozen=True, slots=True)
class Destination:
    """``number`` is the text as given; ``canonical`` is None if it is not a phone number."""

    number: str
    is_real: bool
    country: str | None
    kind: NumberKind
    receives_sms: bool
    canonical: PhoneNumber | None = None


def is_e164(text: str) -> bool:
    """The number may not exist."""
    return E164.fullmatch(text) is not None


def problem_of_number(text: str) -> str | None:
    if not is_e164(text):
        return NOT_E164
    canonical = _canonical_text(text)
    if canonical is None:
        return NOT_REAL
    return None if canonical == text else not_canonical(text, canonical)


def not_canonical(text: str, canonical: str) -> str:
    return f"{text} is not in canonical form; use {canonical}."


def _canonical_text(text: str) -> str | None:
    found = _find(text)
    return None if found is None else found.text


@dataclass(frozen=True, slots=True)
class _Found:
    text: str
    parsed: phonenumbers.PhoneNumber
    kind: NumberKind

    @property
    def is_real(self) -> bool:
        """Every valid number has a kind in libphonenumber."""
        return self.kind is not NumberKind.UNKNOWN


@lru_cache(maxsize=4096)
def _find(text: str) -> _Found | None:
    """Also handles prefixes that libphonenumber does not remove."""
    found = _format(text)
    if found is None or found.is_real:
        return found
    meant = map(_format, _without_prefix(found))
    return next((one for one in meant if one is not None and one.is_real), found)


def _format(text: str) -> _Found | None:
    """Format until stable: `phonenumbers.parse` drops one trunk prefix at a time."""
    while is_e164(text):
        try:
            parsed = phonenumbers.parse(text)
        except phonenumbers.NumberParseException:
            return None
        formatted = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
        if formatted == text:
            kind = _KINDS.get(phonenumbers.number_type(parsed), NumberKind.UNKNOWN)
            return _Found(text, parsed, kind)
        text = formatted
    return None


def _without_prefix(found: _Found) -> list[str]:
    """Return the texts without a doubled calling code or a retired prefix."""
    code = found.parsed.country_code or 0
    national = found.text.removeprefix(f"+{code}")
    prefixes = (str(code), *RETIRED_PREFIXES.get(code, ()))
    return [f"+{code}{national.removeprefix(one)}" for one in prefixes if national.startswith(one)]


@lru_cache(maxsize=4096)
def resolve(number: str) -> Destination:
    found = _find(number)
    if found is None:
        return Destination(number, False, None, NumberKind.UNKNOWN, False)
    parsed = found.parsed
    region = phonenumbers.region_code_for_number(parsed)
    kind = found.kind
    textable = _RECEIVE_SMS_IN_NANP if parsed.country_code == _NANP else _RECEIVE_SMS
    return Destination(
        number=number,
        is_real=found.is_real,
        country=region if region in COUNTRIES else None,
        kind=kind,
        receives_sms=kind in textable,
        canonical=PhoneNumber(found.text),
    )
