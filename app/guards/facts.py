"""The stored facts about the guards of one send, as part of a larger statement."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from app.db.rows import AnyRow
from app.guards.configuration import read_autos, read_guards, read_own
from app.guards.limits import (
    AUTO_FLOORS,
    Auto,
    Autos,
    DeliveryGuard,
    GuardMode,
    Guards,
    UseCaseGuards,
    Window,
)
from app.guards.watches import GuardedSend, Trip, Watch, delivery_watch, range_of, watches_of

# A collapse that the worker has not confirmed for this long is ignored.
COLLAPSE_LASTS = timedelta(hours=1)
# The worker writes the limits of a new day within this time.
_LATEST_AFTER_MIDNIGHT = timedelta(minutes=5)
# Columns of a statement with the tables ``w`` (workspace) and ``u`` (use case).
GUARD_COLUMNS = """w.home_country, guarding.guards::text AS guards, u.guards::text AS own_guards,
  autos.limits::text AS auto_limits,
  (SELECT max(g.value || ' ' || g.share) FROM guard_collapses AS g
    WHERE g.workspace_id = w.id AND g.value = ANY(:collapse_values)
    AND g.checked_at > :collapses_since) AS collapse"""
GUARD_JOINS = """LEFT JOIN guard_settings AS guarding ON guarding.workspace_id = w.id
LEFT JOIN guard_autos AS autos ON autos.workspace_id = w.id"""


@dataclass(frozen=True, slots=True)
class Collapse:
    """``share`` in percent."""

    value: str
    share: int


@dataclass(frozen=True, slots=True)
class GuardFacts:
    """JSON as stored."""

    home_country: str
    guards: Guards
    own: UseCaseGuards
    auto_limits: str | None
    collapse: Collapse | None

    def lacks_auto(self, now: datetime) -> bool:
        """Whether a needed value of "auto" is not stored for this day (UTC)."""
        day = self.auto_day
        if day is not None and day >= (now - _LATEST_AFTER_MIDNIGHT).date():
            return False
        guards = [self.own.get(name, self.guards.by_name[name]) for name in AUTO_FLOORS]
        return any(
            Auto.AUTO in limits.values()
            for guard in guards
            if guard.mode is not GuardMode.OFF
            for limits in (guard.limits, *guard.countries.values())
        )

    @property
    def auto_day(self) -> date | None:
        return _autos(self.auto_limits).day

    def watches(self, send: GuardedSend) -> tuple[Watch, ...]:
        return watches_of(send, self.guards, self.own, _autos(self.auto_limits))


def delivery_trip(guard: DeliveryGuard, workspace_id: UUID, collapse: Collapse) -> Trip:
    watch = delivery_watch(guard, workspace_id, collapse.value)
    return Trip(watch, Window.HOUR, guard.below or 0, collapse.share, None)


def guard_values(number: str, country: str | None, now: datetime) -> dict[str, Any]:
    """Return the parameters of `GUARD_COLUMNS`."""
    return {
        "collapse_values": [range_of(number), country or ""],
        "collapses_since": now - COLLAPSE_LASTS,
    }


def guard_facts_from(row: AnyRow) -> GuardFacts:
    return GuardFacts(
        home_country=row.home_country,
        guards=_guards(row.guards),
        own=_own(row.own_guards),
        auto_limits=row.auto_limits,
        collapse=None if row.collapse is None else _collapse(row.collapse),
    )


def _collapse(text: str) -> Collapse:
    value, share = text.split(" ")
    return Collapse(value, int(share))


# Cached by the stored text, so it cannot be stale.
@lru_cache(maxsize=256)
def _guards(text: str | None) -> Guards:
    return read_guards(None if text is None else json.loads(text))


@lru_cache(maxsize=256)
def _own(text: str | None) -> UseCaseGuards:
    return read_own(None if text is None else json.loads(text))


@lru_cache(maxsize=256)
def _autos(text: str | None) -> Autos:
    return Autos() if text is None else read_autos(json.loads(text))
