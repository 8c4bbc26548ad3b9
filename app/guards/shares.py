"""Shares of messages that were delivered, or that converted. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.guards.limits import DeliveryGuard, GuardMode, GuardName, GuardScope
from app.guards.watches import Watch, range_of

WINDOW = timedelta(hours=1)
BASELINE = timedelta(days=15)
_ALL = 100


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
        """0 is no condition."""
        return percent == 0 or (self.ended > 0 and not self.is_below(percent))

    def is_low(self, guard: DeliveryGuard) -> bool:
        return is_low(guard, self.ended, self.percent)


def is_low(guard: DeliveryGuard, ended: int, percent: int) -> bool:
    """Say whether a guard trips for the share of an hour, if the baseline was high enough."""
    if guard.mode is GuardMode.OFF or guard.below is None:
        return False
    # Rounded down, a share is below a whole percentage exactly when it is below it unrounded.
    return ended >= guard.minimum and percent < guard.below


def values_of(number: str, country: str | None) -> list[str]:
    """List the country and the range that a message counts for; a pseudonym has no range."""
    values = [country] if country else []
    return [*values, range_of(number)] if number.startswith("+") else values


def delivery_watch(guard: DeliveryGuard, workspace_id: UUID, value: str) -> Watch:
    """Return the guard `delivery` as it refuses sends to a collapsed range or country."""
    return Watch(
        guard=GuardName.DELIVERY,
        scope=GuardScope.WORKSPACE,
        scope_id=workspace_id,
        value=value,
        mode=guard.mode,
        amount=0,
        limits={},
    )
