"""The daily comparison with the provider's geo permissions.

A lease lets one of many workers do it.
"""

from dataclasses import dataclass
from datetime import timedelta

from app.db.engine import Database
from app.db.leases import acquire_lease, release_lease
from app.destinations.geo_permissions.check import CheckProvider, log_checked
from app.kernel.clock import Clock

POLL_SECONDS = 600.0
EVERY = timedelta(days=1)
# More than asking all accounts takes, so that only the turn of a dead worker is taken over.
CHECK_LEASE = timedelta(hours=1)
_JOB = "geo-check"


@dataclass(frozen=True, slots=True)
class DailyCheck:
    """Logs once a day how the policies and the provider's geo permissions differ."""

    database: Database
    clock: Clock
    check: CheckProvider

    def run_once(self) -> int:
        """Check if it is due; the start of serving checks too, so the first is due in a day."""
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
