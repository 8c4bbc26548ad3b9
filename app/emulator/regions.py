"""Regions, and those that Twilio calls high-risk or does not support (error 30649)."""

from decimal import Decimal
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


CURRENCY: Final = "USD"
_USUAL: Final = Decimal("0.0500")
_PER_SEGMENT: Final = {
    "BR": Decimal("0.0600"),
    "CA": Decimal("0.0080"),
    "DE": Decimal("0.1000"),
    "FR": Decimal("0.0800"),
    "GB": Decimal("0.0500"),
    "MA": Decimal("0.1200"),
    "MX": Decimal("0.0300"),
    "US": Decimal("0.0080"),
}


def price_of_segment(region: str) -> Decimal:
    return _PER_SEGMENT.get(region, _USUAL)


def price_on_second_network(region: str) -> Decimal:
    return price_of_segment(region) * Decimal("1.1")
