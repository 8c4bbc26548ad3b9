"""A seeded trace of an SMS pumping attack among normal traffic. Pure.

The numbers are valid; only the emulator gets the messages.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HOME = "US"
# The countries of the normal traffic, with their share in percent.
_NORMAL = {HOME: 70, "GB": 20, "DE": 10}
# The attacked countries, with a prefix of a mobile operator.
_ATTACKED = {"MA": "+21266", "ID": "+62812"}
ALLOWED = (*_NORMAL, *_ATTACKED)
_RANGES_OF_COUNTRY = 20
_HISTORY_DAYS = 14
_HISTORY_HOURS = range(8, 18)
# The attack takes a quarter of an hour; the normal traffic around it an hour.
_TRACE_LASTS = timedelta(hours=1)
_ATTACK_BEGINS = timedelta(minutes=10)
_ATTACK_LASTS = timedelta(minutes=15)
_AREA_CODES = (202, 212, 213, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 718, 801, 917)


@dataclass(frozen=True, slots=True)
class TraceSend:
    at: datetime
    number: str
    country: str
    is_attack: bool


@dataclass(frozen=True, slots=True)
class AttackTrace:
    history: Sequence[TraceSend]
    sends: Sequence[TraceSend]


def make_trace(
    seed: int,
    end: datetime,
    *,
    attack_sends: int = 2_000,
    normal_sends: int = 80,
    history_per_hour: int = 40,
) -> AttackTrace:
    """Create the trace of a seed; its last hour ends at ``end``."""
    rng = random.Random(seed)  # noqa: S311  # the same trace for the same seed
    begin = end - _TRACE_LASTS
    subscribers = _Subscribers(rng)
    history = [
        subscribers.send(hour + _within(rng, timedelta(hours=1)))
        for hour in _hours(begin)
        for _ in range(history_per_hour)
    ]
    sends = [subscribers.send(begin + _within(rng, _TRACE_LASTS)) for _ in range(normal_sends)]
    sends += _attack(rng, begin + _ATTACK_BEGINS, attack_sends)
    return AttackTrace(sorted(history, key=_time), sorted(sends, key=_time))


def _hours(begin: datetime) -> Iterator[datetime]:
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    for back in range(_HISTORY_DAYS, 0, -1):
        for hour in _HISTORY_HOURS:
            yield midnight - timedelta(days=back) + timedelta(hours=hour)


def _attack(rng: random.Random, begin: datetime, sends: int) -> Iterator[TraceSend]:
    ranges = [(country, prefix) for country in _ATTACKED for prefix in _ranges(rng, country)]
    # The numbers of a range follow each other, like those of a carrier's block.
    following = {prefix: rng.randrange(1_000) for _, prefix in ranges}
    for place in range(sends):
        country, prefix = ranges[place % len(ranges)]
        following[prefix] += 1
        at = begin + _within(rng, _ATTACK_LASTS)
        yield TraceSend(at, f"{prefix}{following[prefix]:04d}", country, is_attack=True)


def _ranges(rng: random.Random, country: str) -> list[str]:
    found = rng.sample(range(100, 1_000), _RANGES_OF_COUNTRY)
    return [f"{_ATTACKED[country]}{number}" for number in found]


class _Subscribers:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        us = [f"+1{code}555{line:04d}" for code in _AREA_CODES for line in range(100, 125)]
        gb = [f"+44740{block}{line:06d}" for block in range(5) for line in range(20)]
        de = [f"+49151{block}{line:05d}" for block in range(231, 234) for line in range(20)]
        self._numbers = {"US": us, "GB": gb, "DE": de}

    def send(self, at: datetime) -> TraceSend:
        (country,) = self._rng.choices(list(_NORMAL), list(_NORMAL.values()))
        return TraceSend(at, self._rng.choice(self._numbers[country]), country, is_attack=False)


def _within(rng: random.Random, length: timedelta) -> timedelta:
    return timedelta(milliseconds=rng.randrange(length // timedelta(milliseconds=1)))


def _time(send: TraceSend) -> datetime:
    return send.at
