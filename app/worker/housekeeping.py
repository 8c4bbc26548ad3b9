"""The worker's heartbeat, its hourly tasks, and the daily check of geo permissions."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from app.db.clock import ClocksDiffer, require_same_time
from app.db.engine import Database
from app.db.heartbeats import beat, forget, record_stop
from app.db.leases import acquire_lease, release_lease
from app.destinations.geo_permissions.check import CheckProvider, log_checked
from app.guards.purge import PurgeGuards
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable
from app.messages.retention.expire import ExpireMessages
from app.messages.retention.partitions import CreatePartitions
from app.messages.retention.purge import Purge
from app.users.sessions import PurgeSessions
from app.webhooks.outbox import PurgeWebhooks

EVERY = timedelta(days=1)
# Longer than asking all accounts takes, so that only a dead worker loses its lease.
CHECK_LEASE = timedelta(hours=1)
_JOB = "geo-check"
_log = structlog.get_logger(__name__)
_IN_USE = "in use; tried again in an hour"
_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DailyCheck:
    database: Database
    clock: Clock
    check: CheckProvider

    def run_once(self) -> int:
        """First a day from now, because the web processes check at start."""
        with self.database.writing() as connection:
            leased_until = acquire_lease(
                connection, _JOB, self.clock.now(), lease=CHECK_LEASE, first_after=EVERY
            )
        if leased_until is None:
            return 0
        for one in self.check():
            log_checked(one)
        with self.database.writing() as connection:
            release_lease(connection, _JOB, leased_until, self.clock.now() + EVERY)
        return 0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    database: Database
    clock: Clock
    worker: str
    stuck_task: Callable[[], str | None] = lambda: None

    def run_once(self) -> int:
        skew_seconds, now = logged_skew(self.database), self.clock.now()
        with self.database.writing() as connection:
            stuck_task = self.stuck_task()
            beat(connection, self.worker, now, skew_seconds=skew_seconds, stuck_task=stuck_task)
            if skew_seconds is None:
                forget(connection, now - _FORGOTTEN_AFTER)
        return 0

    def stop(self) -> None:
        with suppress(ServiceUnavailable), self.database.writing() as connection:
            record_stop(connection, self.worker, self.clock.now())


@dataclass(frozen=True, slots=True)
class HourlyPurge:
    """Erases expired data, a bounded part at a time."""

    messages: Purge
    webhooks: PurgeWebhooks
    sessions: PurgeSessions
    expire: ExpireMessages
    guards: PurgeGuards

    def run_once(self) -> int:
        """Does nothing if the clocks differ too much."""
        try:
            self.messages()
            self.webhooks()
            self.sessions()
            self.guards()
            expired = self.expire()
            for partition in expired.partitions:
                _log.info("month_dropped", partition=partition)
            for table in expired.busy:
                _log.warning("month_not_dropped", table=table, why=_IN_USE)
        except ClocksDiffer as problem:
            _log_difference(problem)
        return 0


@dataclass(frozen=True, slots=True)
class HourlyMonths:
    create_partitions: CreatePartitions

    def run_once(self) -> int:
        """Does nothing if the clocks differ too much."""
        try:
            made = self.create_partitions()
            for partition in made.partitions:
                _log.info("month_made", partition=partition)
            for table in made.busy:
                _log.warning("month_not_made", table=table, why=_IN_USE)
        except ClocksDiffer as problem:
            _log_difference(problem)
        return 0


def logged_skew(database: Database) -> int | None:
    """Return the seconds by which the clocks differ too much, or None."""
    try:
        require_same_time(database)
    except ClocksDiffer as problem:
        _log_difference(problem)
        return int(problem.skew.total_seconds())
    return None


def _log_difference(problem: ClocksDiffer) -> None:
    _log.error("clocks_differ", skew_seconds=problem.skew.total_seconds(), why=str(problem))
