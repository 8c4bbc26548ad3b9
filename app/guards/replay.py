"""The effect of a configuration on the messages of the last 30 days, in order. Pure.

Numbers and ranges with too few messages to trip are not counted. Empty counters are dropped now
and then.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
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
    GuardConfiguration,
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
    range_of,
    rolling_steps,
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


_Counts: TypeAlias = dict[tuple[UUID, GuardName, str, Window], RollingCount]
# What counts a message: the limits with their counters, and the values of `delivery`.
_Counting: TypeAlias = tuple[list[tuple[Watch, Window, int, RollingCount]], tuple[str, ...]]


def most_that_never_trip(configuration: GuardConfiguration) -> dict[GuardName, int]:
    """Return how many messages a number or range may have that cannot trip, for guards that can."""
    found: dict[GuardName, int] = {}
    for name in (GuardName.NUMBER, GuardName.PREFIX):
        own = [guards[name] for guards in configuration.use_cases.values() if name in guards]
        for guard in (configuration.guards.by_name[name], *own):
            limits = [limit for limit in guard.limits.values() if isinstance(limit, int)]
            if guard.mode is not GuardMode.OFF and limits:
                found[name] = min(*limits, found.get(name, limits[0]))
    delivery = configuration.guards.delivery
    if delivery.can_trip:
        most = delivery.minimum  # the message that meets the collapse is one more
        found[GuardName.PREFIX] = min(most, found.get(GuardName.PREFIX, most))
    return found


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
    """``busy`` are the numbers and ranges with more than `most_that_never_trip`."""

    stored: StoredGuards
    autos: Autos
    cost: Callable[[PastMessage], int | None]
    # The share of a range or country in the days before a time.
    baseline: Callable[[str, datetime], Share]
    busy: Mapping[GuardName, Collection[str]]

    def __call__(self, messages: Iterable[PastMessage]) -> Replayed:
        counts: _Counts = {}
        known: dict[tuple[object, ...], _Counting] = {}
        delivery = self.stored.configuration.guards.delivery
        shares = _Shares(delivery, self.baseline)
        tripped: Counter[_Limit] = Counter()
        values: dict[_Limit, set[int]] = {}
        total = 0
        for total, message in enumerate(messages, start=1):
            limits, of_delivery = self._counting(message, counts, known)
            steps = rolling_steps(message.at)
            trips = []
            for watch, window, limit, count in limits:
                if watch.guard is GuardName.SPEND:
                    count.advance(step_at(watch.guard, window, message.at))
                else:
                    count.advance(steps[window])
                if count.held + watch.amount > limit:
                    trips.append((watch, window))
            collapsed = shares.find_collapsed(of_delivery, message.at)
            if collapsed is not None:
                watch = delivery_watch(delivery, self.stored.workspace_id, collapsed)
                trips.append((watch, Window.HOUR))
            refusal = next((trip for trip in trips if trip[0].is_enforced), None)
            for watch, window in trips if refusal is None else [refusal]:
                key = watch.guard, window, watch.scope, watch.mode
                tripped[key] += 1
                values.setdefault(key, set()).add(hash((watch.scope_id, watch.value)))
            if refusal is None:
                shares.add(message, of_delivery)
                for watch, _, _, count in limits:
                    count.add(watch.amount)
            if total % _SWEEP_EVERY == 0:
                known.clear()
                _sweep(counts, message)
                shares.sweep(message.at)
        in_order = sorted(tripped, key=_order)
        return Replayed(
            total, tuple(WouldTrip(*key, tripped[key], len(values[key])) for key in in_order)
        )

    def _counting(
        self, message: PastMessage, counts: _Counts, known: dict[tuple[object, ...], _Counting]
    ) -> _Counting:
        number, its_range = message.number, range_of(message.number)
        is_busy = number in self.busy.get(GuardName.NUMBER, ())
        has_busy_range = its_range in self.busy.get(GuardName.PREFIX, ())
        cost = self.cost(message)
        key = (
            message.use_case_id,
            message.country,
            message.segments,
            cost,
            number if is_busy else None,
            its_range if has_busy_range else None,
        )
        if key in known:
            return known[key]
        send = GuardedSend(
            workspace_id=self.stored.workspace_id,
            use_case_id=message.use_case_id,
            home_country=self.stored.home_country,
            number=number,
            country=message.country or None,
            segments=message.segments,
            cost_millionths=cost,
        )
        configuration = self.stored.configuration
        own = configuration.use_cases.get(message.use_case_id, {})
        left_out = {GuardName.NUMBER: not is_busy, GuardName.PREFIX: not has_busy_range}
        limits = [
            (watch, window, watch.limits[window], _count(counts, watch, window))
            for watch in watches_of(send, configuration.guards, own, self.autos)
            if not left_out.get(watch.guard)
            for window in WINDOWS[watch.guard]
            if window in watch.limits
        ]
        of_delivery = values_of(number if has_busy_range else "", message.country)
        known[key] = limits, tuple(of_delivery)
        return known[key]


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

    def add(self, message: PastMessage, values: tuple[str, ...]) -> None:
        """Let a message that was sent end in its time."""
        guard, ended_at = self._guard, message.ended_at
        if ended_at is None or not guard.can_trip:
            return
        counts_from, is_good = ended_at, message.is_delivered
        if guard.counts is DeliverySign.CONVERTED:
            is_good = bool(message.is_converted)
            if message.is_converted is None:
                counts_from += FEEDBACK_WITHIN
        heappush(self._to_come, (counts_from, ended_at, is_good, values))

    def find_collapsed(self, values: tuple[str, ...], at: datetime) -> str | None:
        """Return the first of the values that has collapsed when a message is sent."""
        while self._to_come and self._to_come[0][0] <= at:
            _, ended_at, is_good, its_values = heappop(self._to_come)
            for value in its_values:
                self._ended[value].append((ended_at, is_good))
                self._delivered[value] += is_good
        if not self._ended:
            return None
        # Each value is looked at, because each keeps in mind whether it has collapsed.
        collapsed = [value for value in values if self._has_collapsed(value, at)]
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


def _count(counts: _Counts, watch: Watch, window: Window) -> RollingCount:
    key = watch.scope_id, watch.guard, watch.value, window
    if key not in counts:
        counts[key] = RollingCount(live_steps(watch.guard))
    return counts[key]


def _sweep(counts: _Counts, message: PastMessage) -> None:
    for key, count in list(counts.items()):
        _, guard, _, window = key
        count.advance(step_at(guard, window, message.at))
        if count.held == 0:
            del counts[key]


def _order(limit: _Limit) -> tuple[int, int, int]:
    guard, window, scope, _ = limit
    return (list(GuardName).index(guard), list(Window).index(window), list(GuardScope).index(scope))
