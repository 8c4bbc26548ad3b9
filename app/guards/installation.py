"""Alerts about the whole installation: workers that are stuck or gone, and clocks that differ.

Workers and web processes all check the same stored rows, so that one of them is enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from app.access.tables import workspaces
from app.db.clock import LARGEST_SKEW
from app.db.engine import Database
from app.db.heartbeats import web_clocks, worker_heartbeats
from app.db.rows import AnyRow
from app.guards.alerts import AlertChanges, AlertKind, apply_changes, find_changes
from app.kernel.clock import Clock, rfc3339

# A heartbeat comes every 10 seconds. One that is older than the second time is of a worker that
# was replaced.
SILENT_AFTER = timedelta(minutes=2)
_SILENT_UNTIL = timedelta(hours=1)
# For an upgrade, all workers may be stopped for so long.
_STOPPED_FOR = timedelta(minutes=10)
# The times of two hosts may differ by so much: none clears what another one has just opened.
_MARGIN = timedelta(seconds=5)
_SUBJECTS = {AlertKind.CLOCK_DIFFERS: "clock", AlertKind.WORKER_STUCK: "worker"}
_Problems = dict[AlertKind, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Signs:
    """``heartbeats`` are in the order of their times."""

    heartbeats: Sequence[AnyRow]
    clocks: Sequence[AnyRow]

    def running(self, now: datetime) -> list[AnyRow]:
        return [
            row for row in self.heartbeats if row.stopped_at is None and row.at > now - SILENT_AFTER
        ]

    def problems(self, now: datetime) -> _Problems:
        """Return the details of each alert that should be open."""
        found = {
            AlertKind.CLOCK_DIFFERS: self._clocks(now),
            AlertKind.WORKER_STUCK: self._workers(now),
        }
        return {kind: details for kind, details in found.items() if details}

    def _clocks(self, now: datetime) -> dict[str, Any]:
        """Tenants read the details, so they do not name the host: its log does."""
        skews = [row.skew_seconds or 0 for row in self.running(now)]
        skews += [row.skew_seconds for row in self.clocks if row.at > now - SILENT_AFTER]
        most = max(skews, key=abs, default=0)
        return {} if abs(most) < LARGEST_SKEW.total_seconds() else {"skew_seconds": most}

    def _workers(self, now: datetime) -> dict[str, Any]:
        running = self.running(now)
        tasks = sorted({row.stuck_task for row in running if row.stuck_task})
        silent = self._silent(running, now)
        if not tasks and not silent:
            return {}
        heard = max((row.at for row in silent), default=None)
        return {
            "tasks": tasks,
            "silent_workers": len(silent),
            "last_heartbeat_at": None if heard is None else rfc3339(heard),
            "none_running": not running,
        }

    def _silent(self, running: Sequence[AnyRow], now: datetime) -> list[AnyRow]:
        """Return the workers that should have reported, one of each host."""
        # A worker that died and was started again has another name on the same host.
        last_of_host = {_host(row.worker): row for row in self.heartbeats}
        silent = [
            row
            for row in last_of_host.values()
            if row.stopped_at is None and now - _SILENT_UNTIL < row.at <= now - SILENT_AFTER
        ]
        if self.heartbeats and not running:
            last = self.heartbeats[-1]
            patience = SILENT_AFTER if last.stopped_at is None else _STOPPED_FOR
            if last.at <= now - patience and last not in silent:
                silent.append(last)
        return silent


@dataclass(frozen=True, slots=True)
class WatchInstallation:
    database: Database
    clock: Clock

    def run_once(self) -> int:
        self.is_worker_running()
        return 0

    def is_worker_running(self) -> bool:
        """Open and clear the alerts, and say whether a worker reports."""
        now = self.clock.now()
        with self.database.reading() as connection:
            signs = _load_signs(connection)
            changes = _find_changes(connection, signs, now)
        if any(not one.is_empty for one in changes):
            with self.database.writing() as connection:
                _one_at_a_time(connection)
                for one in _find_changes(connection, _load_signs(connection), now):
                    apply_changes(connection, one, now)
        return bool(signs.running(now))


def _load_signs(connection: Connection) -> _Signs:
    by_time = select(worker_heartbeats).order_by(worker_heartbeats.c.at)
    return _Signs(connection.execute(by_time).all(), connection.execute(select(web_clocks)).all())


def _find_changes(connection: Connection, signs: _Signs, now: datetime) -> list[AlertChanges]:
    """Find nothing to change for a kind that begins or ends within the margin."""
    found = signs.problems(now)
    around = signs.problems(now - _MARGIN), signs.problems(now + _MARGIN)
    ids = connection.execute(select(workspaces.c.id)).scalars().all() if found else []
    return [
        find_changes(
            connection, kind, {(one, subject): found[kind] for one in ids if kind in found}
        )
        for kind, subject in _SUBJECTS.items()
        if len({kind in one for one in (found, *around)}) == 1
    ]


def _one_at_a_time(connection: Connection) -> None:
    """Otherwise one process could open what another one, with newer rows, has just cleared."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7079)")


def _host(worker: str) -> str:
    return worker.rpartition(":")[0]
