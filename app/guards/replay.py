"""The effect of a configuration on the messages of the last 30 days, in order. Pure.

Empty counters are dropped now and then, to bound the memory.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from typing import TypeAlias
from uuid import UUID

from app.guards.history import FEEDBACK_WITHIN, PastMessage
from app.guards.limits import (
    WINDOWS,
    Autos,
    DeliveryGuard,
    DeliverySign,
    GuardMode,
    GuardName,
    GuardScope,
    Window,
)
from app.guards.store import StoredGuards
from app.guards.watches import (
    SHARE_WINDOW,
    GuardedSend,
    Share,
    Watch,
    delivery_watch,
    live_steps,
    step_at,
    values_of,
    watches_of,
)

DAYS = 30
_SWEEP_EVERY = 20_000
_Limit: TypeAlias = tuple[GuardName, Window, GuardScope, GuardMode]


class RollingCount:
    def __init__(self, live: int) -> None:
        self.held = 0
        self._live = live
        self._step = 0
        self._counts: deque[tuple[int, int]] = deque()

    def advance(self, step: int) -> None:
        """Drop expired counts; time never goes back."""
        if step <= self._step:
            return
        self._step = step
        while self._counts and self._counts[0][0] <= step - self._live:
            self.held -= self._counts.popleft()[1]

    def add(self, amount: int) -> None:
        self.held += amount
        if self._counts and self._counts[-1][0] == self._step:
            amount += self._counts.pop()[1]
        self._counts.append((self._step, amount))


_Counts: TypeAlias = dict[tuple[UUID, GuardName, str], tuple[RollingCount, RollingCount]]


@dataclass(frozen=True, slots=True)
class WouldTrip:
    """The messages that one limit would have refused, or, in monitor, exceeded it."""

    guard: GuardName
    window: Window
    scope: GuardScope
    mode: GuardMode
    messages: int
    values: int


@dataclass(frozen=True, slots=True)
class Replayed:
    messages: int
    would_trip: tuple[WouldTrip, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    stored: StoredGuards
    autos: Autos
    cost: Callable[[PastMessage], int | None]
    # The share of a range or country in the days before a time.
    baseline: Callable[[str, datetime], Share]

    def __call__(self, messages: Iterable[PastMessage]) -> Replayed:
        counts: _Counts = {}
        delivery = self.stored.configuration.guards.delivery
        shares = _Shares(delivery, self.baseline)
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
            collapsed = shares.find_collapsed(message)
            if collapsed is not None:
                watch = delivery_watch(delivery, self.stored.workspace_id, collapsed)
                trips.append((watch, Window.HOUR))
            refusal = next((trip for trip in trips if trip[0].is_enforced), None)
            for watch, window in trips if refusal is None else [refusal]:
                key = watch.guard, window, watch.scope, watch.mode
                tripped[key] += 1
                values.setdefault(key, set()).add(hash((watch.scope_id, watch.value)))
            if refusal is None:
                shares.add(message)
                for watch, *pair in entries:
                    for window, count in zip(WINDOWS[watch.guard], pair, strict=True):
                        if window in watch.limits:
                            count.add(watch.amount)
            if total % _SWEEP_EVERY == 0:
                _sweep(counts, message)
                shares.sweep(message.at)
        in_order = sorted(tripped, key=_order)
        return Replayed(
            total, tuple(WouldTrip(*key, tripped[key], len(values[key])) for key in in_order)
        )

    def _watches(self, message: PastMessage) -> tuple[Watch, ...]:
        send = GuardedSend(
            workspace_id=self.stored.workspace_id,
            use_case_id=message.use_case_id,
            home_country=self.stored.home_country,
            number=message.number,
            country=message.country or None,
            segments=message.segments,
            cost_millionths=self.cost(message),
        )
        configuration = self.stored.configuration
        own = configuration.use_cases.get(message.use_case_id, {})
        found = watches_of(send, configuration.guards, own, self.autos)
        if message.number.startswith("+"):
            return found
        # The range of a pseudonym is unknown.
        return tuple(watch for watch in found if watch.guard is not GuardName.PREFIX)


class _Shares:
    """What was delivered, or converted, within the hour before each message."""

    def __init__(self, guard: DeliveryGuard, baseline: Callable[[str, datetime], Share]) -> None:
        self._guard = guard
        self._baseline = baseline
        # By the time from which a message counts: its end, whether it is good, and its values.
        self._to_come: list[tuple[datetime, datetime, bool, tuple[str, ...]]] = []
        self._ended: dict[str, deque[tuple[datetime, bool]]] = defaultdict(deque)
        self._delivered: Counter[str] = Counter()
        self._collapsed: set[str] = set()

    def add(self, message: PastMessage) -> None:
        """Let a message that was sent end in its time."""
        guard, ended_at = self._guard, message.ended_at
        if ended_at is None or guard.mode is GuardMode.OFF or guard.below is None:
            return
        values = tuple(values_of(message.number, message.country))
        counts_from, is_good = ended_at, message.is_delivered
        if guard.counts is DeliverySign.CONVERTED:
            is_good = bool(message.is_converted)
            if message.is_converted is None:
                counts_from += FEEDBACK_WITHIN
        heappush(self._to_come, (counts_from, ended_at, is_good, values))

    def find_collapsed(self, message: PastMessage) -> str | None:
        """Return the country or range that has collapsed when a message is sent."""
        while self._to_come and self._to_come[0][0] <= message.at:
            _, ended_at, is_good, values = heappop(self._to_come)
            for value in values:
                self._ended[value].append((ended_at, is_good))
                self._delivered[value] += is_good
        if not self._ended:
            return None
        # Each value is looked at, because each keeps in mind whether it has collapsed.
        values_now = values_of(message.number, message.country)
        collapsed = [value for value in values_now if self._has_collapsed(value, message.at)]
        return collapsed[0] if collapsed else None

    def _has_collapsed(self, value: str, at: datetime) -> bool:
        if not self._share(value, at).is_low(self._guard):
            self._collapsed.discard(value)
            return False
        if value in self._collapsed or self._baseline(value, at).is_baseline(self._guard.baseline):
            self._collapsed.add(value)
            return True
        return False

    def _share(self, value: str, at: datetime) -> Share:
        ended = self._ended.get(value)
        if ended is None:
            return Share(0, 0)
        while ended and ended[0][0] <= at - SHARE_WINDOW:
            self._delivered[value] -= ended.popleft()[1]
        share = Share(len(ended), self._delivered[value])
        if not ended:
            del self._ended[value], self._delivered[value]
        return share

    def sweep(self, at: datetime) -> None:
        for value in list(self._ended):
            self._share(value, at)


def _counts(
    counts: _Counts, watch: Watch, message: PastMessage
) -> tuple[RollingCount, RollingCount]:
    key = watch.scope_id, watch.guard, watch.value
    found = counts.get(key)
    if found is None:
        live = live_steps(watch.guard)
        found = counts[key] = RollingCount(live), RollingCount(live)
    for window, count in zip(WINDOWS[watch.guard], found, strict=True):
        count.advance(step_at(watch.guard, window, message.at))
    return found


def _sweep(counts: _Counts, message: PastMessage) -> None:
    for key, (_, long) in list(counts.items()):
        guard = key[1]
        long.advance(step_at(guard, WINDOWS[guard][1], message.at))
        if long.held == 0:
            del counts[key]


def _order(limit: _Limit) -> tuple[int, int, int]:
    guard, window, scope, _ = limit
    return (list(GuardName).index(guard), list(Window).index(window), list(GuardScope).index(scope))
