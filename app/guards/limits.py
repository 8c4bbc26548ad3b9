"""The limits of guards, and what a send has to pass. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from app.prices.price_table import amount_text, to_millionths

# How many digits of a number belong to one range.
DIGITS_OF_RANGE = 4


class GuardName(StrEnum):
    """The guards, in the order in which a send is asked."""

    NUMBER = "number"
    PREFIX = "prefix"
    COUNTRY = "country"
    WORKSPACE = "workspace"
    SPEND = "spend"
    DELIVERY = "delivery"


class GuardMode(StrEnum):
    """What a guard does beyond its limit: refuse, open an alert alone, or nothing."""

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
    """Whose sends a guard counts."""

    WORKSPACE = "workspace"
    USE_CASE = "use_case"


class Auto(StrEnum):
    """The limit that follows the traffic of the last days."""

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
# "auto" is never lower, and these guards alone take it.
AUTO_FLOORS: Mapping[GuardName, Mapping[Window, int]] = {
    GuardName.COUNTRY: {Window.HOUR: 50, Window.DAY: 200},
    GuardName.WORKSPACE: {Window.MINUTE: 300, Window.DAY: 10_000},
}
AUTO_FACTOR = 3
AUTO_DAYS = 15
OF_USE_CASES = (GuardName.NUMBER, GuardName.PREFIX, GuardName.COUNTRY)


@dataclass(frozen=True, slots=True)
class WindowGuard:
    """A guard that counts in rolling windows; in ``spend``, in calendar days and months (UTC)."""

    mode: GuardMode
    limits: Limits
    # Of `country` alone: countries with limits of their own.
    countries: Mapping[str, Limits] = field(default_factory=dict)

    def limits_of(self, value: str) -> Limits:
        """Return the limits of a number, range or country."""
        return self.countries.get(value, self.limits)


class DeliverySign(StrEnum):
    """What the guard `delivery` counts of the messages that ended."""

    DELIVERED = "delivered"
    CONVERTED = "converted"


@dataclass(frozen=True, slots=True)
class DeliveryGuard:
    """The guard of the share delivered, in percent; without ``below`` it never trips."""

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
    """The guards of a workspace."""

    by_name: Mapping[GuardName, WindowGuard] = field(default_factory=lambda: DEFAULT_GUARDS)
    delivery: DeliveryGuard = field(default_factory=DeliveryGuard)

    def has_spend_limit(self) -> bool:
        """Say whether a limit of the spend stands, whatever its mode."""
        return any(one is not None for one in self.by_name[GuardName.SPEND].limits.values())


UseCaseGuards: TypeAlias = Mapping[GuardName, WindowGuard]


@dataclass(frozen=True, slots=True)
class GuardConfiguration:
    """The guards of a workspace, and those that its use cases have instead."""

    guards: Guards = field(default_factory=Guards)
    use_cases: Mapping[UUID, UseCaseGuards] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AutoLimits:
    """What "auto" means now: by window, and by country where it is above the floor."""

    country: Mapping[Window, int] = field(default_factory=lambda: AUTO_FLOORS[GuardName.COUNTRY])
    countries: Mapping[str, Mapping[Window, int]] = field(default_factory=dict)
    workspace: Mapping[Window, int] = field(
        default_factory=lambda: AUTO_FLOORS[GuardName.WORKSPACE]
    )

    def of(self, guard: GuardName, window: Window, value: str) -> int:
        """Return the limit of a guard that takes "auto"."""
        if guard is GuardName.WORKSPACE:
            return self.workspace[window]
        return self.countries.get(value, self.country)[window]


def auto_limit(guard: GuardName, window: Window, busiest: int) -> int:
    """Return what "auto" means where this was the most that such a window held."""
    return max(AUTO_FLOORS[guard][window], AUTO_FACTOR * busiest)


@dataclass(frozen=True, slots=True)
class GuardedSend:
    """What guards see of a send; without any prices its cost is None."""

    workspace_id: UUID
    use_case_id: UUID
    home_country: str
    number: str
    country: str | None
    segments: int
    cost_millionths: int | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """One guard that counts a send, with the limits that stand for it.

    ``limits`` holds the windows that are counted, the shorter first. Money is in millionths.
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
        """Say whether the guard refuses a send beyond its limit."""
        return self.mode is GuardMode.ENFORCE


@dataclass(frozen=True, slots=True)
class Trip:
    """A send beyond a limit: ``count`` is what the window holds without it.

    ``resets_at`` is None where no such message can ever fit.
    """

    watch: Watch
    window: Window
    limit: int
    count: int
    resets_at: datetime | None


def watches_of(
    send: GuardedSend, guards: Guards, own: UseCaseGuards, auto: AutoLimits, own_auto: AutoLimits
) -> tuple[Watch, ...]:
    """List the guards that count a send, in their order.

    ``own`` are the guards of the use case, which stand in for the workspace's, ``own_auto`` the
    meaning of "auto" in them.
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
    """Return the limits of a value in the windows that have one."""
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
    """Return what a guard counts a send under; None where it does not count it."""
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
    """Return the number range of an E.164 number: the number without its last four digits."""
    return number[:-DIGITS_OF_RANGE]


def money_text(millionths: int) -> str:
    """Write an amount with two decimals, or with as many as it needs."""
    digits = amount_text(millionths)
    return digits.removesuffix("00") if digits.endswith("00") else digits
