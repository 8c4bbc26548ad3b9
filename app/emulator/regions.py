"""Regions, and the ones that Twilio calls high-risk or does not support.

Source: Twilio, error 30649, and libphonenumber.
"""

from typing import Final

import phonenumbers

HIGH_RISK: Final = frozenset({"AZ", "BD", "DZ", "IL", "LK", "NG", "OM", "PK", "PS", "TJ", "TN"})
UNSUPPORTED: Final = frozenset({"CU", "IR", "SY"})
REGIONS: Final = tuple(sorted(phonenumbers.SUPPORTED_REGIONS))


def calling_prefix(region: str) -> str:
    """The calling code of a region with its plus sign, such as `+91`."""
    return f"+{phonenumbers.country_code_for_region(region)}"


def region_of(number: str) -> str | None:
    """The region of an E.164 number; null if it has none, such as +800."""
    region = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    return region if region in phonenumbers.SUPPORTED_REGIONS else None
