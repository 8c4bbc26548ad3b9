"""The figures and charts of the overview: sums, shares, and what is drawn of them."""

import re
from datetime import date, timedelta
from itertools import pairwise

import pytest

from app.console.charts import line, round_up, slots_of, stacked
from app.console.figures import DAYS, Sums, figures_of, first_day
from app.console.typed_number import tidy_number
from app.messages.counted import DayCount

TODAY = date(2026, 1, 31)


def count(days_ago: int, country: str, sends: int, delivered: int = 0) -> DayCount:
    return DayCount(TODAY - timedelta(days=days_ago), country, sends, delivered, 0, 0, sends * 2)


def test_sums_are_by_day_by_country_and_in_all() -> None:
    refused = [{"day": "2026-01-30", "country": None, "refusals": 4}]
    found = figures_of([count(0, "US", 5, 3), count(1, "US", 2), count(1, "BR", 9)], refused, TODAY)
    assert len(found.days) == DAYS
    assert [day for day, _ in found.days][-2:] == [date(2026, 1, 30), TODAY]
    assert found.days[0][0] == first_day(TODAY) == date(2026, 1, 2)
    assert [(sums.sends, sums.refusals) for _, sums in found.days[-2:]] == [(11, 4), (5, 0)]
    assert [(code, sums.sends, sums.refusals) for code, sums in found.countries] == [
        ("BR", 9, 0),
        ("US", 7, 0),
        ("", 0, 4),
    ]
    assert found.other_countries is None
    assert (found.total.sends, found.total.delivered, found.total.segments) == (16, 3, 32)
    assert not found.is_empty
    assert figures_of([], [], TODAY).is_empty


def test_the_smallest_of_many_countries_are_summed_up() -> None:
    codes = [f"{first}{second}" for first in "ABCDE" for second in "FGHIJ"]
    found = figures_of([count(0, code, 100 - place) for place, code in enumerate(codes)], [], TODAY)
    assert [code for code, _ in found.countries] == codes[:20]
    assert found.other_countries is not None
    assert found.other_countries.sends == sum(range(76, 81))


def test_the_rate_is_of_those_that_ended() -> None:
    sums = Sums(sends=10, delivered=6, undelivered=1, failed=1)
    assert (sums.rate, sums.on_the_way) == (0.75, 2)
    assert Sums(sends=3).rate is None


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (501, 1000)]
)
def test_an_axis_ends_at_a_round_number(value: int, top: int) -> None:
    assert round_up(value) == top


def heights(path: str) -> list[float]:
    return [float(found) for found in re.findall(r"v-([\d.]+)h", path)]


def test_bars_stand_on_each_other_and_are_true_to_scale() -> None:
    chart = stacked([("delivered", [5, 0, 10]), ("failed", [5, 0, 0])])
    (_, delivered), (_, failed) = chart.paths
    assert chart.top == 10
    assert heights(delivered) == [65.0, 130.0]
    assert heights(failed) == [65.0]
    feet = [float(foot) for foot in re.findall(r"M[\d.]+ ([\d.]+)", delivered + failed)]
    assert feet == [140.0, 140.0, 75.0]


def test_nothing_is_drawn_of_nothing() -> None:
    assert stacked([("refusals", [0, 0])]).paths == [("refusals", "")]
    assert line("delivered", [None, None]).paths == [("delivered", "")]


def test_a_line_has_gaps_where_there_is_no_share() -> None:
    ((_, path),) = line("delivered", [1.0, 0.5, None, 0.0]).paths
    assert [step[0] for step in re.findall(r"[MLh][^MLh]*", path)] == list("MhLMh")
    assert re.findall(r"[ML][\d.]+ ([\d.]+)", path) == ["10.0", "75.0", "140.0"]


def test_slots_lie_side_by_side_within_the_plot() -> None:
    slots = slots_of(30)
    assert all(a.x + a.width < b.x for a, b in pairwise(slots))
    assert slots[0].x > 44
    assert slots[-1].x + slots[-1].width < 596


@pytest.mark.parametrize(
    ("typed", "tidy"),
    [
        ("+1 (202) 555-0123", "+12025550123"),
        ("0044 7400 123456", "+447400123456"),
        ("+33/6.12.34.56.78", "+33612345678"),
        ("hello", "hello"),
        ("", ""),
    ],
)
def test_what_stands_between_digits_does_not_matter(typed: str, tidy: str) -> None:
    assert tidy_number(typed) == tidy
