"""Deletion of expired counters, trips and alerts."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete

from app.db.clock import require_same_time
from app.db.engine import Database
from app.guards.limits import WINDOWS
from app.guards.tables import alerts, guard_counters, guard_trips
from app.guards.watches import live_steps, step_at
from app.kernel.clock import Clock

TRIPS_KEPT = timedelta(days=31)
ALERTS_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class PurgeGuards:
    database: Database
    clock: Clock

    def __call__(self) -> int:
        """Return the number of deleted counters; raises `ClocksDiffer`."""
        require_same_time(self.database)
        now = self.clock.now()
        counters = 0
        for guard, (_, long) in WINDOWS.items():
            columns = guard_counters.c
            empty = columns.long_step <= step_at(guard, long, now) - live_steps(guard)
            with self.database.writing() as connection:
                done = connection.execute(
                    delete(guard_counters).where(columns.guard == guard, empty)
                )
            counters += done.rowcount
        with self.database.writing() as connection:
            connection.execute(delete(guard_trips).where(guard_trips.c.period < now - TRIPS_KEPT))
            connection.execute(delete(alerts).where(alerts.c.cleared_at < now - ALERTS_KEPT))
        return counters
