"""The choice of a price, and amounts as texts."""

from datetime import UTC, date, datetime

from app.prices.price_table import (
    Estimate,
    PriceRow,
    PriceTable,
    amount_text,
    estimate_price,
)
from support.each import each

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def _price(country: str, network: str, text: str, day: date = JANUARY) -> PriceRow:
    return PriceRow(country, network, text, "USD", day)


TABLE = PriceTable(
    "USD",
    (
        _price("US", "", "0.0079"),
        _price("US", "310410", "0.0500"),
        _price("GB", "23410", "0.0400"),
        _price("GB", "23415", "0.0450"),
        _price("GB", "23415", "0.0300", FEBRUARY),
        _price("MA", "", "0.0000"),
        _price("FR", "", "0.9000", FEBRUARY),
    ),
)


def _cost(country: str | None, segments: int, at: str) -> str | None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    found = estimate_price(TABLE, country, segments, moment)
    return None if found is None else amount_text(found.millionths)


CASES = {
    "the row without network, though a network is dearer": ("US", 2, "2026-01-15", "0.0158"),
    "else the dearest network": ("GB", 1, "2026-01-15", "0.0450"),
    "of each network the latest row": ("GB", 1, "2026-02-15", "0.0400"),
    "a new price holds from midnight UTC on": ("GB", 1, "2026-02-01T00:00:00", "0.0400"),
    "until then the old one": ("GB", 1, "2026-01-31T23:59:59", "0.0450"),
    "a price of zero is a price": ("MA", 3, "2026-01-15", "0.0000"),
    "a price that is not valid yet is none": ("FR", 1, "2026-01-15", "0.0500"),
    "a country without a price costs the dearest": ("BR", 1, "2026-01-15", "0.0500"),
    "which may change": ("BR", 1, "2026-02-15", "0.9000"),
    "so does a number without a country": (None, 1, "2026-01-15", "0.0500"),
    "before any price is valid, the whole table counts": ("GB", 1, "2025-06-01", "0.9000"),
}


@each("case", CASES)
def test_price_of_a_message(case: str) -> None:
    """Break: take the dearest row of the country although one without network exists."""
    country, segments, at, expected = CASES[case]
    assert _cost(country, segments, at) == expected


def test_without_prices_there_is_no_estimate() -> None:
    empty = PriceTable(None, ())

    assert estimate_price(empty, "US", 1, datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert TABLE.on(JANUARY).estimate("US", 2) == Estimate(15_800, "USD")


def test_amounts_have_four_digits_or_as_many_as_they_need() -> None:
    cases = {
        0: "0.0000",
        100_000: "0.1000",
        7_500: "0.0075",
        12_345_678: "12.345678",
        -1: "-0.000001",
    }

    assert {amount: amount_text(amount) for amount in cases} == cases
