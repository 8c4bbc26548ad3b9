"""Figures of the overview, summed from the statistics by day and country. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from app.messages.counted import DayCount

DAYS = 30
_MOST_COUNTRIES = 20


@dataclass(slots=True)
class Sums:
    """Results of some sends, and the number of refusals."""

    sends: int = 0
    delivered: int = 0
    undelivered: int = 0
    failed: int = 0
    segments: int = 0
    refusals: int = 0

    def add(self, count: DayCount) -> None:
        """Add other sums."""
        self.sends += count.sends
        self.delivered += count.delivered
        self.undelivered += count.undelivered
        self.failed += count.failed
        self.segments += count.segments

    @property
    def ended(self) -> int:
        """Return how many have ended."""
        return self.delivered + self.undelivered + self.failed

    @property
    def on_the_way(self) -> int:
        """Return how many have not ended."""
        return max(0, self.sends - self.ended)

    @property
    def rate(self) -> float | None:
        """Return the share of those that ended that were delivered."""
        return self.delivered / self.ended if self.ended else None


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums for each of the last days, oldest first, for the largest countries, and for all."""

    days: Sequence[tuple[date, Sums]]
    countries: Sequence[tuple[str, Sums]]
    other_countries: Sums | None
    total: Sums

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was sent or refused."""
        return not self.total.sends and not self.total.refusals


def first_day(today: date) -> date:
    """Return the first of the days that are shown."""
    return today - timedelta(days=DAYS - 1)


def figures_of(
    counts: Iterable[DayCount], refused: Iterable[Mapping[str, Any]], today: date
) -> Figures:
    """Sum up; ``refused`` are the counts of refusals in the words of the API."""
    start = first_day(today)
    days = {start + timedelta(days=place): Sums() for place in range(DAYS)}
    countries: dict[str, Sums] = defaultdict(Sums)
    total = Sums()
    for count in counts:
        for sums in (days.get(count.day), countries[count.country], total):
            if sums is not None:
                sums.add(count)
    for one in refused:
        day = days.get(date.fromisoformat(one["day"]))
        for sums in (day, countries[one["country"] or ""], total):
            if sums is not None:
                sums.refusals += one["refusals"]
    largest = sorted(countries.items(), key=_size, reverse=True)
    rest = largest[_MOST_COUNTRIES:]
    return Figures(list(days.items()), largest[:_MOST_COUNTRIES], _sum(rest), total)


def _size(named: tuple[str, Sums]) -> tuple[int, int, str]:
    code, sums = named
    return sums.sends, sums.refusals, code


def _sum(named: Sequence[tuple[str, Sums]]) -> Sums | None:
    if not named:
        return None
    total = Sums()
    for name in Sums.__slots__:
        setattr(total, name, sum(getattr(sums, name) for _, sums in named))
    return total
