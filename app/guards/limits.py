"""The guards, with their limits and the defaults of both. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from app.prices.price_table import amount_text

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

WINDOWS: dict[GuardName, tuple[Window, Window]] = {
    GuardName.NUMBER: (Window.HOUR, Window.DAY),
    GuardName.PREFIX: (Window.HOUR, Window.DAY),
    GuardName.COUNTRY: (Window.HOUR, Window.DAY),
    GuardName.WORKSPACE: (Window.MINUTE, Window.DAY),
    GuardName.SPEND: (Window.DAY, Window.MONTH),
}
# The settings of each guard next to its mode.
FIELDS: Mapping[str, tuple[str, ...]] = WINDOWS | {
    GuardName.DELIVERY: ("below", "baseline", "minimum", "counts")
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

    @property
    def can_trip(self) -> bool:
        return self.mode is not GuardMode.OFF and self.below is not None


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


@dataclass(frozen=True, slots=True)
class Autos:
    """Of a day (UTC); ``use_cases`` has the values of those with their own guard `country`."""

    workspace: AutoLimits = field(default_factory=AutoLimits)
    use_cases: Mapping[UUID, AutoLimits] = field(default_factory=dict)
    day: date | None = None


def auto_limit(guard: GuardName, window: Window, busiest: int) -> int:
    return max(AUTO_FLOORS[guard][window], AUTO_FACTOR * busiest)


def money_text(millionths: int) -> str:
    digits = amount_text(millionths)
    return digits.removesuffix("00") if digits.endswith("00") else digits
