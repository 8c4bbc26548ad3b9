"""What a phone number is: real or not, of which region, and able to receive SMS or not.

Everything here is libphonenumber's knowledge (package ``phonenumbers``), asked offline. The region
is the number's own, never its calling code's: +1 787 is PR, +44 7911 is GG, +7 701 is KZ.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType

from app.kernel.countries import COUNTRIES

E164 = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)

_NANP = 1


class NumberKind(StrEnum):
    """Kinds of numbers, in libphonenumber's words."""

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
# Toll-free and personal numbers are text-enabled in the North American plan and nowhere else;
# Twilio's test numbers (+1 500 555 000x, +1 877 780 4236) are of these kinds.
_RECEIVE_SMS_IN_NANP = _RECEIVE_SMS | {NumberKind.TOLL_FREE, NumberKind.PERSONAL_NUMBER}


@dataclass(frozen=True, slots=True)
class Destination:
    """One number as the policy sees it; ``country`` is None where a number belongs to none."""

    number: str
    is_real: bool
    country: str | None
    kind: NumberKind
    receives_sms: bool


def is_e164(text: str) -> bool:
    """Say whether a text has the form of an E.164 number; whether it is real is another matter."""
    return E164.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def resolve(number: str) -> Destination:
    """Resolve an E.164 number to its region and kind; any other text is not a real number.

    The answer depends on the number and the installed metadata alone, so it may be kept.
    """
    try:
        parsed = phonenumbers.parse(number if is_e164(number) else "")
    except phonenumbers.NumberParseException:
        return Destination(number, False, None, NumberKind.UNKNOWN, False)
    region = phonenumbers.region_code_for_number(parsed)
    kind = _KINDS.get(phonenumbers.number_type(parsed), NumberKind.UNKNOWN)
    textable = _RECEIVE_SMS_IN_NANP if parsed.country_code == _NANP else _RECEIVE_SMS
    return Destination(
        number=number,
        is_real=phonenumbers.is_valid_number(parsed),
        country=region if region in COUNTRIES else None,
        kind=kind,
        receives_sms=kind in textable,
    )
