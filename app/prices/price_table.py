"""The estimated price of a message, in whole millionths, so that sums are exact. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

MILLION = 1_000_000
_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class PriceRow:
    """The price of one segment from a day (UTC) on; an empty ``mccmnc`` is the whole country."""

    country: str
    mccmnc: str
    price: str
    currency: str
    valid_from: date

    @property
    def key(self) -> tuple[str, str, date]:
        """A row replaces another one with the same key."""
        return self.country, self.mccmnc, self.valid_from

    @property
    def millionths(self) -> int:
        return to_millionths(Decimal(self.price))


@dataclass(frozen=True, slots=True)
class Estimate:
    millionths: int
    currency: str


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Every stored price, in one currency; None without prices."""

    currency: str | None
    rows: Sequence[PriceRow]
    revision: int = 0

    def on(self, day: date) -> "DayPrices":
        in_force: dict[tuple[str, str], PriceRow] = {}
        for row in self.rows:
            key = row.country, row.mccmnc
            known = in_force.get(key)
            if row.valid_from <= day and (known is None or known.valid_from < row.valid_from):
                in_force[key] = row
        dearest: dict[str, int] = {}
        for row in in_force.values():
            dearest[row.country] = max(row.millionths, dearest.get(row.country, 0))
        whole = {row.country: row.millionths for row in in_force.values() if not row.mccmnc}
        # If no price is valid yet, use the whole table.
        known_rows = list(in_force.values()) or list(self.rows)
        others = max((row.millionths for row in known_rows), default=None)
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
