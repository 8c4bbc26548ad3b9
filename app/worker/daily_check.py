"""The daily check of geo permissions, by one of many workers."""

from dataclasses import dataclass
from datetime import timedelta

from app.db.engine import Database
from app.db.leases import acquire_lease, release_lease
from app.destinations.geo_permissions.check import CheckProvider, log_checked
from app.kernel.clock import Clock

POLL_SECONDS = 600.0
EVERY = timedelta(days=1)
# Longer than asking all accounts takes, so that only a dead worker loses its lease.
CHECK_LEASE = timedelta(hours=1)
_JOB = "geo-check"


@dataclass(frozen=True, slots=True)
class DailyCheck:
    database: Database
    clock: Clock
    check: CheckProvider

    def run_once(self) -> int:
        """First a day from now, because the web processes check at start."""
        with self.database.writing() as connection:
            now = self.clock.now()
            leased_until = acquire_lease(
                connection, _JOB, now, lease=CHECK_LEASE, first_after=EVERY
            )
        if leased_until is None:
            return 0
        for one in self.check():
            log_checked(one)
        with self.database.writing() as connection:
            release_lease(connection, _JOB, leased_until, self.clock.now() + EVERY)
        return 0
