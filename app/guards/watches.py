"""The guards that count a send, their rolling windows, and whether they trip. Pure.

A counter has the counts of its last `KEPT_STEPS` steps, the current one first. A step is a
twentieth of a window; ``spend`` has calendar days and months, one step each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.guards.limits import (
    DIGITS_OF_RANGE,
    WINDOWS,
    Auto,
    AutoLimits,
    Autos,
    DeliveryGuard,
    GuardMode,
    GuardName,
    Guards,
    GuardScope,
    UseCaseGuards,
    Window,
    WindowGuard,
)
from app.kernel.clock import from_unix_time
from app.prices.price_table import to_millionths

_STEPS_OF_WINDOW = 20
# A message counts for 1.05 to 1.1 windows, which covers a second between the clocks of hosts.
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
_FLOORS = AutoLimits()
SHARE_WINDOW = timedelta(hours=1)
_BASELINE_LASTS = timedelta(days=15)
_ALL = 100


@dataclass(frozen=True, slots=True)
class GuardedSend:
    """Its cost is None without prices."""

    workspace_id: UUID
    use_case_id: UUID
    home_country: str
    number: str
    country: str | None
    segments: int
    cost_millionths: int | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """``limits`` has the counted windows, the shorter first. Money is in millionths."""

    guard: GuardName
    scope: GuardScope
    scope_id: UUID
    value: str
    mode: GuardMode
    amount: int
    limits: Mapping[Window, int]

    @property
    def is_enforced(self) -> bool:
        return self.mode is GuardMode.ENFORCE


@dataclass(frozen=True, slots=True)
class Trip:
    """``count`` is without the send; ``resets_at`` is None if that is unknown, or never."""

    watch: Watch
    window: Window
    limit: int
    count: int
    resets_at: datetime | None
    can_fit: bool = True


def watches_of(
    send: GuardedSend, guards: Guards, own: UseCaseGuards, autos: Autos
) -> tuple[Watch, ...]:
    """List the guards that count a send, in order; ``own`` replace the workspace's."""
    own_auto = autos.use_cases.get(send.use_case_id, _FLOORS)
    found = []
    for name in WINDOWS:
        is_own = name in own
        guard = own[name] if is_own else guards.by_name[name]
        if guard.mode is GuardMode.OFF:
            continue
        value = _value(name, guard, send)
        amount = _amount(name, send)
        if value is None or amount is None:
            continue
        limits = resolve_limits(name, guard, value, own_auto if is_own else autos.workspace)
        if limits:
            scope = GuardScope.USE_CASE if is_own else GuardScope.WORKSPACE
            scope_id = send.use_case_id if is_own else send.workspace_id
            found.append(Watch(name, scope, scope_id, value, guard.mode, amount, limits))
    return tuple(found)


def resolve_limits(
    name: GuardName, guard: WindowGuard, value: str, auto: AutoLimits
) -> dict[Window, int]:
    of_country = auto.countries.get(value, auto.country)
    of_auto = auto.workspace if name is GuardName.WORKSPACE else of_country
    found: dict[Window, int] = {}
    for window, limit in guard.countries.get(value, guard.limits).items():
        if isinstance(limit, Auto):
            found[window] = of_auto[window]
        elif isinstance(limit, Decimal):
            found[window] = to_millionths(limit)
        elif limit is not None:
            found[window] = limit
    return found


def _value(name: GuardName, guard: WindowGuard, send: GuardedSend) -> str | None:
    match name:
        case GuardName.NUMBER:
            return send.number
        case GuardName.PREFIX:
            return range_of(send.number)
        case GuardName.COUNTRY:
            is_uncounted_home = send.country == send.home_country and (
                send.country not in guard.countries
            )
            return None if is_uncounted_home else send.country
        case _:
            return ""


def _amount(name: GuardName, send: GuardedSend) -> int | None:
    match name:
        case GuardName.WORKSPACE:
            return send.segments
        case GuardName.SPEND:
            return send.cost_millionths
        case _:
            return 1


def range_of(number: str) -> str:
    """Return the number without its last four digits."""
    return number[:-DIGITS_OF_RANGE]


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
    """The shorter window first; ``current`` are the counts of both without the send."""
    trips = []
    for window, counts in zip(WINDOWS[watch.guard], current, strict=True):
        limit = watch.limits.get(window)
        count = held(watch.guard, counts)
        if limit is not None and count + watch.amount > limit:
            resets_at = fits_again_at(watch.guard, window, counts, limit - watch.amount)
            can_fit = watch.amount <= limit
            trips.append(Trip(watch, window, limit, count, resets_at, can_fit))
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


def baseline_period(at: datetime) -> tuple[datetime, datetime]:
    """Return the days before the hour that ends at a time."""
    return at - SHARE_WINDOW - _BASELINE_LASTS, at - SHARE_WINDOW


@dataclass(frozen=True, slots=True)
class Share:
    ended: int
    delivered: int

    @property
    def percent(self) -> int:
        """The delivered share, rounded down; 0 without ended messages."""
        return self.delivered * _ALL // self.ended if self.ended else 0

    def is_below(self, percent: int) -> bool:
        return self.delivered * _ALL < percent * self.ended

    def is_baseline(self, percent: int) -> bool:
        """A percentage of 0 is no condition."""
        return percent == 0 or (self.ended > 0 and not self.is_below(percent))

    def is_low(self, guard: DeliveryGuard) -> bool:
        return is_low(guard, self.ended, self.percent)


def is_low(guard: DeliveryGuard, ended: int, percent: int) -> bool:
    """Say whether a guard trips for the share of an hour, if the baseline was high enough."""
    if guard.below is None or not guard.can_trip:
        return False
    # Rounded down, a share is below a whole percentage exactly when it is below it unrounded.
    return ended >= guard.minimum and percent < guard.below


def values_of(number: str, country: str | None) -> list[str]:
    """List the country and the range that a message counts for; a pseudonym has no range."""
    values = [country] if country else []
    return [*values, range_of(number)] if number.startswith("+") else values


def delivery_watch(guard: DeliveryGuard, workspace_id: UUID, value: str) -> Watch:
    """Return the guard `delivery` as it refuses sends to a collapsed range or country."""
    scope = GuardScope.WORKSPACE
    return Watch(GuardName.DELIVERY, scope, workspace_id, value, guard.mode, amount=0, limits={})
