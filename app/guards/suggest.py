"""Suggestion of limits that fit the traffic of the last 15 days."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from math import ceil
from typing import Any

from app.guards.autos import Tripped
from app.guards.history import PastMessage
from app.guards.limits import AUTO_FLOORS, GuardConfiguration, GuardMode, GuardName, Limits, Window
from app.guards.store import StoredGuards
from app.guards.watches import range_of

DAYS = 15
_FACTOR = 3
_RANK = 0.95
_LEAST = {Window.HOUR: 10, Window.DAY: 40}
_SUGGESTED = (GuardName.NUMBER, GuardName.PREFIX, GuardName.COUNTRY, GuardName.WORKSPACE)


def p95(counts: Counter[int]) -> int:
    """Return the 95th percentile by nearest rank; 0 without counts."""
    rank = ceil(_RANK * counts.total())
    for value in sorted(counts):
        rank -= counts[value]
        if rank <= 0:
            return value
    return 0


@dataclass
class _Histogram:
    short: Counter[int] = field(default_factory=Counter)
    long: Counter[int] = field(default_factory=Counter)


@dataclass
class _Tally:
    short: dict[datetime, int] = field(default_factory=lambda: defaultdict(int))
    long: dict[date, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, period: datetime, amount: int) -> None:
        self.short[period] += amount
        self.long[period.date()] += amount

    def into(self, found: _Histogram, guard: GuardName, value: str, tripped: Tripped) -> _Histogram:
        """Leaves out the windows in which the guard tripped."""
        for hour, count in self.short.items():
            if not tripped.has(guard, value, hour):
                found.short[count] += 1
        for day, count in self.long.items():
            if not tripped.has(guard, value, day):
                found.long[count] += 1
        return found


@dataclass(frozen=True, slots=True)
class Suggestion:
    messages: int
    configuration: GuardConfiguration


def suggest(
    stored: StoredGuards, by_number: Iterable[PastMessage], tripped: Tripped, pseudonym: Any
) -> Suggestion:
    """The messages are sorted by number, to hold one number at a time."""
    counting = _Counting(tripped, pseudonym)
    for message in by_number:
        counting.add(message)
    counting.close()
    current, home_country = stored.configuration, stored.home_country
    guards = dict(current.guards.by_name)
    for name in (GuardName.NUMBER, GuardName.PREFIX):
        guards[name] = replace(
            guards[name], mode=GuardMode.ENFORCE, limits=_limits(counting.histograms[name], _LEAST)
        )
    country = guards[GuardName.COUNTRY]
    kept = {code: own for code, own in country.countries.items() if code == home_country}
    others = sorted(counting.of_countries().items())
    suggested = {code: _limits(found, _LEAST) for code, found in others if code != home_country}
    guards[GuardName.COUNTRY] = replace(
        country, mode=GuardMode.ENFORCE, limits=dict(_LEAST), countries=kept | suggested
    )
    guards[GuardName.WORKSPACE] = replace(
        guards[GuardName.WORKSPACE],
        limits=_limits(counting.of_workspace(), AUTO_FLOORS[GuardName.WORKSPACE]),
    )
    wanted = replace(current.guards, by_name=guards)
    return Suggestion(counting.messages, replace(current, guards=wanted))


def apply_suggestion(current: GuardConfiguration, found: Suggestion) -> GuardConfiguration:
    suggested = found.configuration.guards.by_name
    by_name = {**current.guards.by_name, **{name: suggested[name] for name in _SUGGESTED}}
    return replace(current, guards=replace(current.guards, by_name=by_name))


def _limits(found: _Histogram, least: Any) -> Limits:
    short, long = least
    return {
        short: max(least[short], _FACTOR * p95(found.short)),
        long: max(least[long], _FACTOR * p95(found.long)),
    }


class _Counting:
    def __init__(self, tripped: Tripped, pseudonym: Any) -> None:
        self.messages = 0
        self.histograms = {GuardName.NUMBER: _Histogram(), GuardName.PREFIX: _Histogram()}
        self._tripped = tripped
        self._pseudonym = pseudonym if tripped.has_any(GuardName.NUMBER) else str
        self._number, self._tally = "", _Tally()
        # The incomplete ranges: a few, because numbers have different lengths.
        self._ranges: dict[str, _Tally] = {}
        self._countries: dict[str, _Tally] = defaultdict(_Tally)
        self._workspace = _Tally()

    def add(self, message: PastMessage) -> None:
        self.messages += 1
        at = message.at.astimezone(UTC).replace(second=0, microsecond=0)
        hour = at.replace(minute=0)
        self._workspace.add(at, message.segments)
        if message.country:
            self._countries[message.country].add(hour, 1)
        if message.number != self._number:
            self._end_number()
            self._end_ranges(message.number)
            self._number = message.number
        self._tally.add(hour, 1)
        if message.number.startswith("+"):
            self._ranges.setdefault(range_of(message.number), _Tally()).add(hour, 1)

    def close(self) -> None:
        self._end_number()
        self._end_ranges("")

    def _end_number(self) -> None:
        if self._number:
            value = self._number if self._number.startswith("~") else self._pseudonym(self._number)
            found = self.histograms[GuardName.NUMBER]
            self._tally.into(found, GuardName.NUMBER, value, self._tripped)
        self._tally = _Tally()

    def _end_ranges(self, number: str) -> None:
        for value in [value for value in self._ranges if not number.startswith(value)]:
            found = self.histograms[GuardName.PREFIX]
            self._ranges.pop(value).into(found, GuardName.PREFIX, value, self._tripped)

    def of_countries(self) -> dict[str, _Histogram]:
        return {
            country: tally.into(_Histogram(), GuardName.COUNTRY, country, self._tripped)
            for country, tally in self._countries.items()
        }

    def of_workspace(self) -> _Histogram:
        return self._workspace.into(_Histogram(), GuardName.WORKSPACE, "", self._tripped)
