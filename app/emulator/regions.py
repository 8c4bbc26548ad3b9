"""Regions, and those that Twilio calls high-risk or does not support (error 30649)."""

from typing import Final

import phonenumbers

HIGH_RISK: Final = frozenset({"AZ", "BD", "DZ", "IL", "LK", "NG", "OM", "PK", "PS", "TJ", "TN"})
UNSUPPORTED: Final = frozenset({"CU", "IR", "SY"})
REGIONS: Final = tuple(sorted(phonenumbers.SUPPORTED_REGIONS))


def calling_prefix(region: str) -> str:
    return f"+{phonenumbers.country_code_for_region(region)}"


def region_of(number: str) -> str | None:
    region = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    return region if region in phonenumbers.SUPPORTED_REGIONS else None
