"""A replay counts only busy numbers and ranges, and finds what it would find with all of them."""

import random
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.guards.history import PastMessage
from app.guards.limits import (
    DEFAULT_GUARDS,
    Autos,
    DeliveryGuard,
    GuardConfiguration,
    GuardMode,
    GuardName,
    Guards,
    Window,
    WindowGuard,
)
from app.guards.replay import Replay, Replayed, most_that_never_trip
from app.guards.store import StoredGuards
from app.guards.watches import Share, range_of

WORKSPACE, USE_CASE, OTHER = (UUID(int=value) for value in (1, 2, 3))
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class _All(Collection[str]):
    """All values; a pseudonym has no range."""

    def __init__(self, begin: str) -> None:
        self._begin = begin

    def __contains__(self, value: object) -> bool:
        return str(value).startswith(self._begin)

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


def _limits(mode: GuardMode, hour: int | None, day: int | None) -> WindowGuard:
    return WindowGuard(mode, {Window.HOUR: hour, Window.DAY: day})


def _configuration(rng: random.Random) -> GuardConfiguration:
    def limit() -> int | None:
        return rng.choice([None, 2, 4, 8])

    modes = list(GuardMode)
    by_name = {
        **DEFAULT_GUARDS,
        GuardName.NUMBER: _limits(rng.choice(modes), limit(), limit()),
        GuardName.PREFIX: _limits(rng.choice(modes), limit(), limit()),
        GuardName.COUNTRY: _limits(GuardMode.MONITOR, 60, 300),
    }
    delivery = DeliveryGuard(
        mode=rng.choice(modes), below=rng.choice([None, 50]), minimum=rng.choice([1, 3, 9])
    )
    own = {GuardName.NUMBER: _limits(rng.choice(modes), limit(), limit())}
    return GuardConfiguration(Guards(by_name, delivery), {OTHER: own} if rng.random() < 0.5 else {})


def _messages(rng: random.Random) -> list[PastMessage]:
    at, its_range, found = BEGIN, "+1202000", []
    for _ in range(600):
        at += timedelta(seconds=rng.expovariate(1 / 90))
        if rng.random() < 0.3:
            its_range = f"+1202{rng.randrange(60):03}"
        number = f"{its_range}{rng.randrange(3):04}"
        if rng.random() < 0.05:
            number = f"~{number[1:]}"
        is_delivered = rng.random() < 0.6
        found.append(
            PastMessage(
                at=at,
                number=number,
                country=rng.choice(["US", "CA", ""]),
                use_case_id=rng.choice([USE_CASE, OTHER]),
                segments=rng.choice([1, 2]),
                ended_at=at + timedelta(minutes=rng.random() * 20),
                is_delivered=is_delivered,
            )
        )
    return found


def _busy(
    configuration: GuardConfiguration, messages: list[PastMessage]
) -> dict[GuardName, set[str]]:
    counts = {
        GuardName.NUMBER: Counter(one.number for one in messages),
        GuardName.PREFIX: Counter(
            range_of(one.number) for one in messages if one.number.startswith("+")
        ),
    }
    return {
        name: {value for value, count in counts[name].items() if count > most}
        for name, most in most_that_never_trip(configuration).items()
    }


def test_values_that_are_not_busy_never_trip() -> None:
    """Break: in `most_that_never_trip`, let numbers have one message more, or leave out `own`."""
    tripped: Counter[GuardName] = Counter()
    left_out = 0
    for seed in range(40):
        rng = random.Random(seed)
        configuration, messages = _configuration(rng), _messages(rng)
        stored = StoredGuards(WORKSPACE, "US", 1, BEGIN, configuration)

        def replayed(busy: dict[GuardName, Collection[str]], of: StoredGuards = stored) -> Replayed:
            replay = Replay(of, Autos(), lambda _: None, lambda *_: Share(9, 9), busy)
            return replay(messages)  # noqa: B023

        busy = _busy(configuration, messages)
        of_all = {GuardName.NUMBER: _All(""), GuardName.PREFIX: _All("+")}
        found = replayed(dict(busy))
        assert found == replayed(of_all), (seed, configuration)
        assert found.messages == len(messages)
        tripped.update(one.guard for one in found.would_trip)
        left_out += len({one.number for one in messages} - busy.get(GuardName.NUMBER, set()))
    assert tripped.keys() >= {GuardName.NUMBER, GuardName.PREFIX, GuardName.DELIVERY}
    assert left_out > 0


def test_the_message_after_the_fewest_of_a_collapse_is_found() -> None:
    """Break: in `most_that_never_trip`, add one to the minimum of `delivery`."""
    off = WindowGuard(GuardMode.OFF, {})
    delivery = DeliveryGuard(minimum=3)
    guards = Guards(dict.fromkeys(DEFAULT_GUARDS, off), delivery)
    stored = StoredGuards(WORKSPACE, "US", 1, BEGIN, GuardConfiguration(guards))
    times = [BEGIN + timedelta(minutes=minute) for minute in range(4)]
    messages = [PastMessage(at, "+12025550100", "", USE_CASE, 1, ended_at=at) for at in times]
    busy = _busy(stored.configuration, messages)
    replay = Replay(stored, Autos(), lambda _: None, lambda *_: Share(9, 9), busy)
    assert [(one.guard, one.messages) for one in replay(messages).would_trip] == [
        (GuardName.DELIVERY, 1)
    ]
