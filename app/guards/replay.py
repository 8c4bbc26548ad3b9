"""What a configuration would have done to the messages of the last 30 days. Pure.

The messages come in their order. Counters that hold nothing any more are dropped now and then, so
that memory is bounded by what is sent within a day.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from app.guards.history import PastMessage
from app.guards.limits import (
    WINDOWS,
    AutoLimits,
    GuardConfiguration,
    GuardedSend,
    GuardMode,
    GuardName,
    GuardScope,
    Watch,
    Window,
    watches_of,
)
from app.guards.windows import RollingCount, live_steps, step_at

DAYS = 30
_SWEEP_EVERY = 20_000
_Limit: TypeAlias = tuple[GuardName, Window, GuardScope, GuardMode]
_Counts: TypeAlias = dict[tuple[UUID, GuardName, str], tuple[RollingCount, RollingCount]]


@dataclass(frozen=True, slots=True)
class WouldTrip:
    """What one limit would have refused, or, in monitor, seen go beyond it."""

    guard: GuardName
    window: Window
    scope: GuardScope
    mode: GuardMode
    messages: int
    values: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many messages were replayed, and what would have tripped."""

    messages: int
    would_trip: tuple[WouldTrip, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """The workspace whose messages are replayed; ``cost`` estimates the price of a message."""

    workspace_id: UUID
    home_country: str
    configuration: GuardConfiguration
    auto: AutoLimits
    own_autos: dict[UUID, AutoLimits]
    cost: Callable[[PastMessage], int | None]

    def __call__(self, messages: Iterable[PastMessage]) -> Replayed:
        """Replay messages, oldest first."""
        counts: _Counts = {}
        tripped: Counter[_Limit] = Counter()
        values: dict[_Limit, set[int]] = {}
        total = 0
        for total, message in enumerate(messages, start=1):
            entries = [
                (watch, *_counts(counts, watch, message)) for watch in self._watches(message)
            ]
            trips = [
                (watch, window)
                for watch, *pair in entries
                for window, count in zip(WINDOWS[watch.guard], pair, strict=True)
                if window in watch.limits and count.held + watch.amount > watch.limits[window]
            ]
            refusal = next((trip for trip in trips if trip[0].is_enforced), None)
            for watch, window in trips if refusal is None else [refusal]:
                key = watch.guard, window, watch.scope, watch.mode
                tripped[key] += 1
                values.setdefault(key, set()).add(hash((watch.scope_id, watch.value)))
            if refusal is None:
                for watch, *pair in entries:
                    for window, count in zip(WINDOWS[watch.guard], pair, strict=True):
                        if window in watch.limits:
                            count.add(watch.amount)
            if total % _SWEEP_EVERY == 0:
                _sweep(counts, message)
        in_order = sorted(tripped, key=_order)
        return Replayed(
            total, tuple(WouldTrip(*key, tripped[key], len(values[key])) for key in in_order)
        )

    def _watches(self, message: PastMessage) -> tuple[Watch, ...]:
        send = GuardedSend(
            workspace_id=self.workspace_id,
            use_case_id=message.use_case_id,
            home_country=self.home_country,
            number=message.number,
            country=message.country or None,
            segments=message.segments,
            cost_millionths=self.cost(message),
        )
        own = self.configuration.use_cases.get(message.use_case_id, {})
        own_auto = self.own_autos.get(message.use_case_id, AutoLimits())
        found = watches_of(send, self.configuration.guards, own, self.auto, own_auto)
        if message.number.startswith("+"):
            return found
        # The range of a pseudonym is not known.
        return tuple(watch for watch in found if watch.guard is not GuardName.PREFIX)


def _counts(
    counts: _Counts,
    watch: Watch,
    message: PastMessage,
) -> tuple[RollingCount, RollingCount]:
    key = watch.scope_id, watch.guard, watch.value
    found = counts.get(key)
    if found is None:
        live = live_steps(watch.guard)
        found = counts[key] = RollingCount(live), RollingCount(live)
    for window, count in zip(WINDOWS[watch.guard], found, strict=True):
        count.advance(step_at(watch.guard, window, message.at))
    return found


def _sweep(
    counts: _Counts,
    message: PastMessage,
) -> None:
    for key, (_, long) in list(counts.items()):
        guard = key[1]
        long.advance(step_at(guard, WINDOWS[guard][1], message.at))
        if long.held == 0:
            del counts[key]


def _order(limit: _Limit) -> tuple[int, int, int]:
    guard, window, scope, _ = limit
    return (
        list(GuardName).index(guard),
        list(Window).index(window),
        list(GuardScope).index(scope),
    )
