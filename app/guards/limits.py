"""The limits of guards, and the guards that count a send. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from app.prices.price_table import amount_text, to_millionths

# A range comprises the numbers that only differ in these last digits.
DIGITS_OF_RANGE = 4


class GuardName(StrEnum):
    """The guards, in the order of the checks."""

    NUMBER = "number"
    PREFIX = "prefix"
    COUNTRY = "country"
    WORKSPACE = "workspace"
    SPEND = "spend"
    DELIVERY = "delivery"


class GuardMode(StrEnum):
    """Above its limit, a guard refuses, only opens an alert, or does nothing."""

    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"


class Window(StrEnum):
    """The windows of limits, the shorter first."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class GuardScope(StrEnum):
    WORKSPACE = "workspace"
    USE_CASE = "use_case"


class Auto(StrEnum):
    """The limit that follows recent traffic."""

    AUTO = "auto"


AUTO = Auto.AUTO
# A count, an amount of money, "auto", or none.
Limit: TypeAlias = int | Decimal | Auto | None
Limits: TypeAlias = Mapping[Window, Limit]

WINDOWS: Mapping[GuardName, tuple[Window, Window]] = {
    GuardName.NUMBER: (Window.HOUR, Window.DAY),
    GuardName.PREFIX: (Window.HOUR, Window.DAY),
    GuardName.COUNTRY: (Window.HOUR, Window.DAY),
    GuardName.WORKSPACE: (Window.MINUTE, Window.DAY),
    GuardName.SPEND: (Window.DAY, Window.MONTH),
}
# The minimum of "auto"; other guards do not accept it.
AUTO_FLOORS: Mapping[GuardName, Mapping[Window, int]] = {
    GuardName.COUNTRY: {Window.HOUR: 50, Window.DAY: 200},
    GuardName.WORKSPACE: {Window.MINUTE: 300, Window.DAY: 10_000},
}
AUTO_FACTOR = 3
AUTO_DAYS = 15
OF_USE_CASES = (GuardName.NUMBER, GuardName.PREFIX, GuardName.COUNTRY)


@dataclass(frozen=True, slots=True)
class WindowGuard:
    """``spend`` counts in calendar days and months (UTC), others in rolling windows."""

    mode: GuardMode
    limits: Limits
    # Only for `country`: the limits of single countries.
    countries: Mapping[str, Limits] = field(default_factory=dict)

    def limits_of(self, value: str) -> Limits:
        return self.countries.get(value, self.limits)


class DeliverySign(StrEnum):
    DELIVERED = "delivered"
    CONVERTED = "converted"


@dataclass(frozen=True, slots=True)
class DeliveryGuard:
    """In percent; without ``below`` it never trips."""

    mode: GuardMode = GuardMode.MONITOR
    below: int | None = 30
    baseline: int = 60
    minimum: int = 20
    counts: DeliverySign = DeliverySign.DELIVERED


DEFAULT_GUARDS: Mapping[GuardName, WindowGuard] = {
    GuardName.NUMBER: WindowGuard(GuardMode.ENFORCE, {Window.HOUR: 10, Window.DAY: 40}),
    GuardName.PREFIX: WindowGuard(GuardMode.MONITOR, {Window.HOUR: 50, Window.DAY: None}),
    GuardName.COUNTRY: WindowGuard(GuardMode.ENFORCE, {Window.HOUR: AUTO, Window.DAY: AUTO}),
    GuardName.WORKSPACE: WindowGuard(GuardMode.MONITOR, {Window.MINUTE: AUTO, Window.DAY: AUTO}),
    GuardName.SPEND: WindowGuard(GuardMode.OFF, {Window.DAY: None, Window.MONTH: None}),
}


@dataclass(frozen=True, slots=True)
class Guards:
    by_name: Mapping[GuardName, WindowGuard] = field(default_factory=lambda: DEFAULT_GUARDS)
    delivery: DeliveryGuard = field(default_factory=DeliveryGuard)

    def has_spend_limit(self) -> bool:
        """Whether there is a spend limit, in any mode."""
        return any(one is not None for one in self.by_name[GuardName.SPEND].limits.values())


UseCaseGuards: TypeAlias = Mapping[GuardName, WindowGuard]


@dataclass(frozen=True, slots=True)
class GuardConfiguration:
    guards: Guards = field(default_factory=Guards)
    use_cases: Mapping[UUID, UseCaseGuards] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AutoLimits:
    """Countries at the floor are left out."""

    country: Mapping[Window, int] = field(default_factory=lambda: AUTO_FLOORS[GuardName.COUNTRY])
    countries: Mapping[str, Mapping[Window, int]] = field(default_factory=dict)
    workspace: Mapping[Window, int] = field(
        default_factory=lambda: AUTO_FLOORS[GuardName.WORKSPACE]
    )

    def of(self, guard: GuardName, window: Window, value: str) -> int:
        if guard is GuardName.WORKSPACE:
            return self.workspace[window]
        return self.countries.get(value, self.country)[window]


def auto_limit(guard: GuardName, window: Window, busiest: int) -> int:
    return max(AUTO_FLOORS[guard][window], AUTO_FACTOR * busiest)


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
    """One guard that counts a send.

    ``limits`` has the counted windows, the shorter first. Money is in millionths.
    """

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
    """``count`` is without the send; ``resets_at`` is None if it can never fit."""

    watch: Watch
    window: Window
    limit: int
    count: int
    resets_at: datetime | None


def watches_of(
    send: GuardedSend, guards: Guards, own: UseCaseGuards, auto: AutoLimits, own_auto: AutoLimits
) -> tuple[Watch, ...]:
    """List the guards that count a send, in order.

    ``own`` replace the workspace's, with the values ``own_auto``.
    """
    return tuple(_watches(send, guards, own, auto, own_auto))


def _watches(
    send: GuardedSend, guards: Guards, own: UseCaseGuards, auto: AutoLimits, own_auto: AutoLimits
) -> Iterator[Watch]:
    for name in WINDOWS:
        is_own = name in own
        guard = own[name] if is_own else guards.by_name[name]
        if guard.mode is GuardMode.OFF:
            continue
        value = _value(name, guard, send)
        amount = _amount(name, send)
        if value is None or amount is None:
            continue
        limits = resolve_limits(name, guard, value, own_auto if is_own else auto)
        if limits:
            yield Watch(
                guard=name,
                scope=GuardScope.USE_CASE if is_own else GuardScope.WORKSPACE,
                scope_id=send.use_case_id if is_own else send.workspace_id,
                value=value,
                mode=guard.mode,
                amount=amount,
                limits=limits,
            )


def resolve_limits(
    name: GuardName, guard: WindowGuard, value: str, auto: AutoLimits
) -> dict[Window, int]:
    found: dict[Window, int] = {}
    for window, limit in guard.limits_of(value).items():
        if isinstance(limit, Auto):
            found[window] = auto.of(name, window, value)
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


def money_text(millionths: int) -> str:
    digits = amount_text(millionths)
    return digits.removesuffix("00") if digits.endswith("00") else digits
