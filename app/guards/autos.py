"""The values of "auto": three times the busiest windows of the last 15 whole days (UTC).

They are stored once a day, by the worker or by the first send or reader that needs them.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, select

from app.access.tables import workspaces
from app.db.engine import Database
from app.db.rows import upsert
from app.guards.configuration import autos_json, read_autos
from app.guards.facts import GuardFacts
from app.guards.history import HourTraffic, MessageHistory, MinuteTraffic
from app.guards.limits import (
    AUTO_DAYS,
    AUTO_FLOORS,
    AutoLimits,
    Autos,
    GuardName,
    Window,
    auto_limit,
)
from app.guards.store import StoredGuards, load_guards
from app.guards.tables import guard_autos, guard_trips
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable
from app.prices.price_table import day_of

_log = structlog.get_logger(__name__)

# A value of a guard, and the start of a clock hour or minute.
_Place = tuple[GuardName, str, datetime]


@dataclass(frozen=True, slots=True)
class Tripped:
    periods: frozenset[_Place]
    days: frozenset[tuple[GuardName, str, date]]

    def has(self, guard: GuardName, value: str, period: datetime | date) -> bool:
        """Whether a guard tripped in a clock hour, minute or day."""
        if isinstance(period, datetime):
            return (guard, value, period) in self.periods
        return (guard, value, period) in self.days

    def count(self, guard: GuardName, day: date) -> int:
        return sum(name is guard and day_of(at) == day for name, _, at in self.periods)

    def has_any(self, guard: GuardName) -> bool:
        return any(name is guard for name, _, _ in self.days)


def load_tripped(connection: Connection, workspace_id: UUID, since: datetime) -> Tripped:
    columns = guard_trips.c
    query = select(columns.guard, columns.value, columns.period).where(
        columns.workspace_id == workspace_id,
        columns.period >= since.replace(minute=0, second=0, microsecond=0),
    )
    periods = frozenset(
        (GuardName(guard), value, period) for guard, value, period in connection.execute(query)
    )
    return Tripped(periods, frozenset((guard, value, day_of(at)) for guard, value, at in periods))


@dataclass
class _Busiest:
    hours: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    days: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    minute: int = 0
    day: int = 0

    def add_day(self, day: date, traffic: Iterable[HourTraffic], tripped: Tripped) -> None:
        hours: dict[tuple[str, datetime], int] = defaultdict(int)
        days: dict[str, int] = defaultdict(int)
        segments = 0
        for one in traffic:
            hours[one.country, one.hour] += one.messages
            days[one.country] += one.messages
            segments += one.segments
        for (country, hour), count in hours.items():
            if not tripped.has(GuardName.COUNTRY, country, hour):
                self.hours[country] = max(self.hours[country], count)
        for country, count in days.items():
            if not tripped.has(GuardName.COUNTRY, country, day):
                self.days[country] = max(self.days[country], count)
        if not tripped.has(GuardName.WORKSPACE, "", day):
            self.day = max(self.day, segments)

    def add_minutes(self, minutes: Iterable[MinuteTraffic], tripped: Tripped) -> None:
        for one in minutes:
            if not tripped.has(GuardName.WORKSPACE, "", one.minute):
                self.minute = max(self.minute, one.segments)

    def limits(self) -> AutoLimits:
        countries = {}
        for country in sorted(self.hours.keys() | self.days.keys()):
            found = {
                Window.HOUR: auto_limit(GuardName.COUNTRY, Window.HOUR, self.hours[country]),
                Window.DAY: auto_limit(GuardName.COUNTRY, Window.DAY, self.days[country]),
            }
            if country and found != AUTO_FLOORS[GuardName.COUNTRY]:
                countries[country] = found
        of_workspace = {
            Window.MINUTE: auto_limit(GuardName.WORKSPACE, Window.MINUTE, self.minute),
            Window.DAY: auto_limit(GuardName.WORKSPACE, Window.DAY, self.day),
        }
        return AutoLimits(countries=countries, workspace=of_workspace)


def compute_autos(
    connection: Connection, history: MessageHistory, stored: StoredGuards, today: date
) -> Autos:
    own = _with_own_country(stored)
    since = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=AUTO_DAYS)
    tripped = load_tripped(connection, stored.workspace_id, since)
    of_workspace = _Busiest()
    of_use_cases = {use_case_id: _Busiest() for use_case_id in own}
    for back in range(AUTO_DAYS, 0, -1):
        day = today - timedelta(days=back)
        traffic = list(history.hours(connection, stored.workspace_id, day))
        of_workspace.add_day(day, traffic, tripped)
        # One of so many minutes did not trip.
        enough = tripped.count(GuardName.WORKSPACE, day) + 1
        minutes = history.busiest_minutes(connection, stored.workspace_id, day, enough)
        of_workspace.add_minutes(minutes, tripped)
        for use_case_id, busiest in of_use_cases.items():
            sent = [one for one in traffic if one.use_case_id == use_case_id]
            busiest.add_day(day, sent, tripped)
    of_use_cases_now = {key: busiest.limits() for key, busiest in of_use_cases.items()}
    return Autos(of_workspace.limits(), of_use_cases_now, today)


def covers(autos: Autos, stored: StoredGuards) -> bool:
    """Whether each use case with its own guard `country` has limits."""
    return autos.use_cases.keys() >= _with_own_country(stored)


def _with_own_country(stored: StoredGuards) -> set[UUID]:
    own = stored.configuration.use_cases
    return {use_case_id for use_case_id, one in own.items() if GuardName.COUNTRY in one}


def counted_autos(stored: StoredGuards, auto: AutoLimits) -> AutoLimits:
    """Remove the home country if `country` does not count it."""
    home = stored.home_country
    if home in stored.configuration.guards.by_name[GuardName.COUNTRY].countries:
        return auto
    countries = {code: limits for code, limits in auto.countries.items() if code != home}
    return replace(auto, countries=countries)


def load_autos(
    connection: Connection, history: MessageHistory, stored: StoredGuards, now: datetime
) -> Autos:
    """Compute them if they are not stored."""
    found = _stored_autos(connection, stored, day_of(now))
    return found or compute_autos(connection, history, stored, day_of(now))


def _stored_autos(connection: Connection, stored: StoredGuards, today: date) -> Autos | None:
    columns = guard_autos.c
    query = select(columns.limits).where(columns.workspace_id == stored.workspace_id)
    limits = connection.execute(query).scalar_one_or_none()
    found = None if limits is None else read_autos(limits)
    return found if found and found.day == today and covers(found, stored) else None


def write_autos(connection: Connection, workspace_id: UUID, autos: Autos) -> None:
    key = {"workspace_id": workspace_id}
    upsert(connection, guard_autos, key, day=autos.day, limits=autos_json(autos))


def ensure_autos(
    database: Database, history: MessageHistory, workspace_id: UUID, now: datetime
) -> tuple[StoredGuards, Autos]:
    """Load the guards and the values of a day; compute and store these if they are not stored."""
    today = day_of(now)
    with database.reading() as connection:
        stored = load_guards(connection, workspace_id)
        autos = _stored_autos(connection, stored, today)
        if autos is not None:
            return stored, autos
        autos = compute_autos(connection, history, stored, today)
    with database.writing() as connection:
        write_autos(connection, workspace_id, autos)
    return stored, autos


@dataclass(frozen=True, slots=True)
class RefreshAutos:
    database: Database
    clock: Clock
    history: MessageHistory

    def run_once(self) -> int:
        now = self.clock.now()
        done = select(guard_autos.c.workspace_id).where(guard_autos.c.day == day_of(now))
        query = select(workspaces.c.id).where(workspaces.c.id.not_in(done))
        with self.database.reading() as connection:
            missing = connection.execute(query).scalars().all()
        for workspace_id in missing:
            ensure_autos(self.database, self.history, workspace_id, now)
        return 0


@dataclass(frozen=True, slots=True)
class AutosOfSends:
    """Values for sends before the worker has stored them."""

    database: Database
    history: MessageHistory
    # By workspace: reading the traffic of one must not hold up the sends of others.
    _turns: dict[UUID, threading.Lock] = field(default_factory=dict)

    def __call__(self, workspace_id: UUID, facts: GuardFacts, now: datetime) -> GuardFacts:
        """Return the facts with the values of "auto", computed once.

        Meanwhile other threads use those of the day before.
        """
        turn = self._turns.setdefault(workspace_id, threading.Lock())
        if not turn.acquire(blocking=facts.auto_day is None):
            return facts
        try:
            _, autos = ensure_autos(self.database, self.history, workspace_id, now)
        except ServiceUnavailable:
            _log.warning("auto_limits_not_computed", workspace_id=str(workspace_id))
            return facts
        finally:
            turn.release()
        return replace(facts, auto_limits=json.dumps(autos_json(autos)))
