"""Made-up prices in US dollars per segment; each country has two networks."""

from decimal import Decimal
from typing import Final

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
