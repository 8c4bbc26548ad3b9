"""Figures of the overview, summed from the statistics. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from app.messages.usage import SlotCount

_MOST_COUNTRIES = 20
# A fall of the delivery rate is shown when this many messages ended in the last two days, as many
# in the 28 days before, and the rate lies this much below theirs (decision 36).
FALL_DAYS = 2
BASELINE_DAYS = 28
_FALL_ENDED = 20
_FALL = 0.15
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Period(StrEnum):
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"

    @property
    def days(self) -> int:
        return {"24h": 1, "7d": 7, "30d": 30, "90d": 90}[self.value]

    @property
    def label(self) -> str:
        return "24 hours" if self is Period.DAY else f"{self.days} days"

    def slots(self, now: datetime) -> list[datetime]:
        """Return the start of each hour or day (UTC), the current one last."""
        if self is Period.DAY:
            last, step, number = now.replace(minute=0, second=0, microsecond=0), _HOUR, 24
        else:
            last, step, number = midnight(now.date()), _DAY, self.days
        return [last - step * back for back in reversed(range(number))]


@dataclass(slots=True)
class Sums:
    sends: int = 0
    delivered: int = 0
    undelivered: int = 0
    failed: int = 0
    segments: int = 0
    refusals: int = 0
    cost: int = 0

    def add(self, more: "SlotCount | Sums") -> None:
        """The statistics have no refusals."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(more, name, 0))

    @property
    def ended(self) -> int:
        return self.delivered + self.undelivered + self.failed

    @property
    def on_the_way(self) -> int:
        return max(0, self.sends - self.ended)

    @property
    def rate(self) -> float | None:
        return self.delivered / self.ended if self.ended else None


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums for each slot, oldest first, for the largest countries, and in total."""

    slots: Sequence[tuple[datetime, Sums]]
    countries: Sequence[tuple[str, Sums]]
    other_countries: Sums | None
    total: Sums

    @property
    def is_empty(self) -> bool:
        return not self.total.sends and not self.total.refusals


@dataclass(frozen=True, slots=True)
class Fall:
    """A delivery rate that fell; an empty country means all."""

    country: str
    rate: float
    before: float


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def figures_of(
    counts: Iterable[SlotCount], refused: Iterable[Mapping[str, Any]], starts: Sequence[datetime]
) -> Figures:
    """Sum up the slots; ``refused`` are the API's counts by day."""
    slots = {start: Sums() for start in starts}
    countries: dict[str, Sums] = defaultdict(Sums)
    total = Sums()
    for count in counts:
        if count.at in slots:
            for sums in (slots[count.at], countries[count.group], total):
                sums.add(count)
    for one in refused:
        at = midnight(date.fromisoformat(one["day"]))
        if at in slots:
            for sums in (slots[at], countries[one["country"] or ""], total):
                sums.refusals += one["refusals"]
    largest = sorted(countries.items(), key=_size, reverse=True)
    others = Sums()
    for _, sums in largest[_MOST_COUNTRIES:]:
        others.add(sums)
    shown = largest[:_MOST_COUNTRIES]
    return Figures(list(slots.items()), shown, others if len(largest) > len(shown) else None, total)


def series_of(
    counts: Iterable[SlotCount], starts: Sequence[datetime], most: int
) -> list[tuple[str | None, list[int]]]:
    """Return sends by slot of the largest groups; None is all others."""
    sends: dict[str, dict[datetime, int]] = defaultdict(lambda: dict.fromkeys(starts, 0))
    for count in counts:
        if count.at in sends[count.group]:
            sends[count.group][count.at] += count.sends
    largest = sorted(sends, key=lambda group: (-sum(sends[group].values()), group))
    shown: list[tuple[str | None, list[int]]] = [
        (group, list(sends[group].values())) for group in largest[:most]
    ]
    rest = [sends[group] for group in largest[most:]]
    if rest:
        shown.append((None, [sum(one[start] for one in rest) for start in starts]))
    return shown


def falls_of(counts: Iterable[SlotCount], today: date) -> list[Fall]:
    """Return delivery rates that fell within two days, in total and by country."""
    edge = midnight(today - timedelta(days=FALL_DAYS - 1))
    begin = edge - timedelta(days=BASELINE_DAYS)
    late: dict[str, Sums] = defaultdict(Sums)
    early: dict[str, Sums] = defaultdict(Sums)
    for count in counts:
        if count.at >= begin:
            side = late if count.at >= edge else early
            for country in ("", count.group):
                side[country].add(count)
    found = []
    for country, sums in late.items():
        rate, before = sums.rate, early[country].rate
        if rate is None or before is None:
            continue
        if min(sums.ended, early[country].ended) < _FALL_ENDED:
            continue
        if rate <= before - _FALL:
            found.append(Fall(country, rate, before))
    return sorted(found, key=lambda fall: (fall.country != "", fall.rate, fall.country))


def _size(named: tuple[str, Sums]) -> tuple[int, int, str]:
    code, sums = named
    return sums.sends, sums.refusals, code
