"""Rolling windows in steps, as counters store them. Pure.

A counter has the counts of its last `KEPT_STEPS` steps, the current one first. A step is a
twentieth of a window, and a message counts in 22: for 1.05 to 1.1 windows, which covers a second
between the clocks of hosts. ``spend`` has calendar days and months: one step each.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.guards.limits import WINDOWS, GuardName, Trip, Watch, Window
from app.kernel.clock import from_unix_time

_STEPS_OF_WINDOW = 20
KEPT_STEPS = 22
LENGTHS = {
    Window.MINUTE: timedelta(minutes=1),
    Window.HOUR: timedelta(hours=1),
    Window.DAY: timedelta(days=1),
    Window.MONTH: timedelta(days=31),
}
_STEP_SECONDS = {
    window: LENGTHS[window].total_seconds() / _STEPS_OF_WINDOW
    for window in (Window.MINUTE, Window.HOUR, Window.DAY)
}
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class StepCounts:
    step: int
    counts: Sequence[int]


NOTHING = StepCounts(0, (0,) * KEPT_STEPS)


def live_steps(guard: GuardName) -> int:
    return 1 if guard is GuardName.SPEND else KEPT_STEPS


def step_at(guard: GuardName, window: Window, at: datetime) -> int:
    if guard is GuardName.SPEND:
        day = at.astimezone(UTC).date()
        return day.year * _MONTHS + day.month - 1 if window is Window.MONTH else day.toordinal()
    return int(at.timestamp() // _STEP_SECONDS[window])


def rolling_steps(at: datetime) -> dict[Window, int]:
    seconds = at.timestamp()
    return {window: int(seconds // length) for window, length in _STEP_SECONDS.items()}


def _begin(guard: GuardName, window: Window, step: int) -> datetime:
    if guard is not GuardName.SPEND:
        return from_unix_time(step * _STEP_SECONDS[window])
    if window is Window.MONTH:
        year, month = divmod(step, _MONTHS)
        return datetime(year, month + 1, 1, tzinfo=UTC)
    return datetime.fromordinal(step).replace(tzinfo=UTC)


def shifted_to(stored: StepCounts, step: int) -> StepCounts:
    """Time never goes back within a counter."""
    passed = min(max(step - stored.step, 0), KEPT_STEPS)
    counts = ((0,) * passed + tuple(stored.counts))[:KEPT_STEPS]
    return StepCounts(max(step, stored.step), counts)


def added(current: StepCounts, amount: int) -> StepCounts:
    return StepCounts(current.step, (current.counts[0] + amount, *current.counts[1:]))


def taken_back(stored: StepCounts, step: int, amount: int) -> StepCounts:
    """Does nothing if the counts no longer contain the step."""
    place = stored.step - step
    if not 0 <= place < KEPT_STEPS:
        return stored
    counts = list(stored.counts)
    counts[place] = max(0, counts[place] - amount)
    return StepCounts(stored.step, tuple(counts))


def held(guard: GuardName, current: StepCounts) -> int:
    return sum(current.counts[: live_steps(guard)])


def find_trips(watch: Watch, current: Sequence[StepCounts]) -> list[Trip]:
    """Return the exceeded limits, the shorter window first.

    ``current`` are the counts of both windows without the send.
    """
    trips = []
    for window, counts in zip(WINDOWS[watch.guard], current, strict=True):
        limit = watch.limits.get(window)
        count = held(watch.guard, counts)
        if limit is not None and count + watch.amount > limit:
            resets_at = fits_again_at(watch.guard, window, counts, limit - watch.amount)
            trips.append(Trip(watch, window, limit, count, resets_at))
    return trips


def fits_again_at(
    guard: GuardName, window: Window, current: StepCounts, most: int
) -> datetime | None:
    """Return when the window will hold at most ``most``, or None."""
    if most < 0:
        return None
    live = live_steps(guard)
    left = held(guard, current)
    for place in reversed(range(live)):
        left -= current.counts[place]
        if left <= most:
            return _begin(guard, window, current.step - place + live)
    return None


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
