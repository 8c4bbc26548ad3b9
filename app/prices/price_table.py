"""The estimated price of a message. Pure.

Amounts are whole millionths of the currency, so that sums are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

MILLION = 1_000_000
_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one segment from a day (UTC) on; without network for the whole country."""

    country: str
    mccmnc: str | None
    millionths: int
    valid_from: date


@dataclass(frozen=True, slots=True)
class Estimate:
    millionths: int
    currency: str


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Every stored price, in one currency; None without prices."""

    currency: str | None
    prices: Sequence[Price]

    def on(self, day: date) -> "DayPrices":
        in_force: dict[tuple[str, str | None], Price] = {}
        for price in self.prices:
            key = price.country, price.mccmnc
            known = in_force.get(key)
            if price.valid_from <= day and (known is None or known.valid_from < price.valid_from):
                in_force[key] = price
        dearest: dict[str, int] = {}
        for price in in_force.values():
            dearest[price.country] = max(price.millionths, dearest.get(price.country, 0))
        whole = {p.country: p.millionths for p in in_force.values() if p.mccmnc is None}
        # If no price is valid yet, use the whole table.
        known_prices = list(in_force.values()) or list(self.prices)
        others = max((price.millionths for price in known_prices), default=None)
        return DayPrices(day, self.currency, dearest | whole, others)


@dataclass(frozen=True, slots=True)
class DayPrices:
    """The price of one segment to each country on one day.

    A country has its price without network, else its dearest network's. ``others``, the dearest
    of all, applies to other countries; None without prices.
    """

    day: date
    currency: str | None
    of_country: dict[str, int]
    others: int | None

    def estimate(self, country: str | None, segments: int) -> Estimate | None:
        if self.others is None or self.currency is None:
            return None
        of_segment = self.of_country.get(country or "", self.others)
        return Estimate(of_segment * segments, self.currency)


def estimate_price(
    table: PriceTable, country: str | None, segments: int, at: datetime
) -> Estimate | None:
    """Return None without prices."""
    return table.on(day_of(at)).estimate(country, segments)


def day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()


def to_millionths(amount: Decimal) -> int:
    """Return an amount in whole millionths, rounded half to even."""
    return int((amount * MILLION).to_integral_value())


def amount_text(millionths: int) -> str:
    """Format an amount with at least four decimal places."""
    sign = "-" if millionths < 0 else ""
    units, parts = divmod(abs(millionths), MILLION)
    digits = f"{parts:06d}".rstrip("0").ljust(_DECIMALS, "0")
    return f"{sign}{units}.{digits}"
