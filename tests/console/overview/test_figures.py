"""The figures and charts of the overview: sums, shares, falls, and what is drawn of them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.console.overview.figures import Fall, Period, Sums, falls_of, figures_of, series_of
from app.console.overview.page import by_group, by_status, delivery_rate
from app.console.ui.forms import without_separators
from app.messages.usage import SlotCount

NOW = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
TODAY = NOW.date()
MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)


def count(days_ago: int, group: str, sends: int, delivered: int = 0, failed: int = 0) -> SlotCount:
    at = MIDNIGHT - timedelta(days=days_ago)
    return SlotCount(at, group, sends, delivered, 0, failed, sends * 2)


def test_sums_are_by_day_by_country_and_in_all() -> None:
    refused = [{"day": "2026-01-30", "country": None, "refusals": 4}]
    counts = [count(0, "US", 5, 3), count(1, "US", 2), count(1, "BR", 9), count(40, "US", 7)]
    found = figures_of(counts, refused, Period.MONTH.slots(NOW))
    assert [at.date() for at, _ in found.slots][-2:] == [date(2026, 1, 30), TODAY]
    assert [(sums.sends, sums.refusals) for _, sums in found.slots[-2:]] == [(11, 4), (5, 0)]
    assert [(code, sums.sends, sums.refusals) for code, sums in found.countries] == [
        ("BR", 9, 0),
        ("US", 7, 0),
        ("", 0, 4),
    ]
    assert found.other_countries is None
    assert (found.total.sends, found.total.delivered, found.total.segments) == (16, 3, 32)
    assert not found.is_empty
    assert figures_of([], [], Period.MONTH.slots(NOW)).is_empty


def test_a_period_ends_with_the_current_hour_or_day() -> None:
    for period, number, first in (
        (Period.DAY, 24, datetime(2026, 1, 30, 13, tzinfo=UTC)),
        (Period.WEEK, 7, datetime(2026, 1, 25, tzinfo=UTC)),
        (Period.QUARTER, 90, datetime(2025, 11, 3, tzinfo=UTC)),
    ):
        slots = period.slots(NOW)
        assert (len(slots), slots[0]) == (number, first), period


def test_the_smallest_of_many_countries_are_summed_up() -> None:
    codes = [f"{first}{second}" for first in "ABCDE" for second in "FGHIJ"]
    counts = [count(0, code, 100 - place) for place, code in enumerate(codes)]
    found = figures_of(counts, [], Period.WEEK.slots(NOW))
    assert [code for code, _ in found.countries] == codes[:20]
    assert found.other_countries is not None
    assert found.other_countries.sends == sum(range(76, 81))


def test_the_rate_is_of_those_that_ended() -> None:
    sums = Sums(sends=10, delivered=6, undelivered=1, failed=1)
    assert (sums.rate, sums.on_the_way) == (0.75, 2)
    assert Sums(sends=3).rate is None


def test_series_are_the_largest_groups_and_the_rest() -> None:
    starts = Period.WEEK.slots(NOW)
    counts = [count(0, "US", 5), count(1, "US", 2), count(0, "FR", 3), count(0, "DE", 1)]
    counts.append(count(0, "IT", 1))
    assert series_of(counts, starts, 2) == [
        ("US", [0, 0, 0, 0, 0, 2, 5]),
        ("FR", [0, 0, 0, 0, 0, 0, 3]),
        (None, [0, 0, 0, 0, 0, 0, 2]),
    ]


def test_a_rate_that_falls_for_two_days_is_reported_by_country_and_in_total() -> None:
    """Break: compare with a longer or shorter time before, or tell of a few messages."""
    steady = [count(days, "US", 100, 96, 4) for days in range(30)]
    good = [count(days, "FR", 100, 95, 5) for days in range(2, 30)]
    bad = [count(days, "FR", 100, 10, 90) for days in range(2)]
    assert falls_of(steady, TODAY) == []
    found = falls_of([*steady, *good, *bad], TODAY)
    assert found == [Fall("", 0.53, 0.955), Fall("FR", 0.1, 0.95)]
    few = [count(days, "FR", 9, 1, 8) for days in range(2)]
    assert falls_of([*steady, *good, *few], TODAY) == []
    once = [count(9, "DE", 1, 1, 0), count(0, "DE", 30, 20, 10)]
    assert falls_of([*steady, *once], TODAY) == []


def test_a_chart_has_a_row_for_each_slot_and_a_gap_without_an_end() -> None:
    figures = figures_of([count(0, "US", 4, 3, 1)], [], Period.WEEK.slots(NOW))
    rate = delivery_rate(figures)
    assert [values for _, values in rate.rows][-2:] == [[None], [75.0]]
    assert by_status(figures).rows[-1] == (MIDNIGHT, [3, 0, 1, 0])
    groups = by_group("x", figures, [("A", [1] * 7), ("B", [2] * 7)])
    assert groups.columns == [("1", "A"), ("2", "B")]
    assert groups.rows[0][1] == [1, 2]


@pytest.mark.parametrize(
    ("typed", "tidied"),
    [
        ("+1 (202) 555-0123", "+12025550123"),
        ("0049 151 1234567", "+491511234567"),
        ("12025550123", "12025550123"),
    ],
)
def test_numbers_are_tidied(typed: str, tidied: str) -> None:
    assert without_separators(typed) == tidied
