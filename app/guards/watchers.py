"""Alerts that follow from stored data.

The worker checks endpoints, geo permissions and refusals. Workers and web processes all check
workers and clocks, so that one of them is enough.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, or_, select

from app.access.tables import workspaces
from app.db.clock import LARGEST_SKEW
from app.db.engine import Database
from app.db.heartbeats import web_clocks, worker_heartbeats
from app.db.rows import AnyRow
from app.destinations.geo_permissions.check import load_permissions_view
from app.destinations.storage.policies import load_effective
from app.destinations.tables import refusal_counts, refusals
from app.guards.alerts import AlertChanges, AlertKind, Found, apply_changes, find_changes
from app.kernel.clock import Clock, rfc3339
from app.kernel.errors import GuardTripped
from app.kernel.ids import first_id_at
from app.providers.port import GeoFacts
from app.webhooks.deliveries import GIVEN_UP, GONE
from app.webhooks.tables import webhook_endpoints

# A single failure opens no alert: a receiver may be restarting.
_FAILING_AFTER = timedelta(minutes=5)
# A spike is that many refusals in so short a time, and as many times what is usual.
SPIKE_WINDOW = timedelta(minutes=10)
SPIKE_LEAST = 50
_SPIKE_FACTOR = 10
_USUAL_DAYS = 15
_SPIKES_LISTED = 1000
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
class WatchOthers:
    database: Database
    clock: Clock
    facts: GeoFacts

    def run_once(self) -> int:
        now = self.clock.now()
        with self.database.reading() as connection:
            failing = _failing_endpoints(connection, now)
            drift = _drift(connection, self.facts, now)
            spikes, ebbing = _spikes(connection, now)
        self._update(AlertKind.ENDPOINT_FAILING, failing, now)
        self._update(AlertKind.GEO_DRIFT, drift, now)
        self._update(AlertKind.REFUSALS_SPIKED, spikes, now, still=ebbing)
        return 0

    def _update(
        self, kind: AlertKind, found: Found, now: datetime, still: Collection[tuple[UUID, str]] = ()
    ) -> None:
        with self.database.reading() as connection:
            changes = find_changes(connection, kind, found, still)
        if not changes.is_empty:
            with self.database.writing() as connection:
                apply_changes(connection, changes, now)


def _failing_endpoints(connection: Connection, now: datetime) -> Found:
    columns = webhook_endpoints.c
    query = select(webhook_endpoints).where(
        or_(
            columns.disabled_reason.in_([GONE, GIVEN_UP]),
            columns.active
            & (columns.first_failed_at < now - _FAILING_AFTER)
            & (columns.last_failed_at > columns.first_failed_at),
        )
    )
    return {
        (row.workspace_id, f"endpoint:{row.id.hex}"): {
            "endpoint_id": str(row.id),
            "url": row.url,
            "failing_since": rfc3339(row.first_failed_at),
            "active": row.active,
        }
        for row in connection.execute(query)
    }


def _drift(connection: Connection, facts: GeoFacts, now: datetime) -> Found:
    with_account = select(workspaces.c.id).where(workspaces.c.account_sid.isnot(None))
    found = {}
    for workspace_id in connection.execute(with_account).scalars().all():
        view = load_permissions_view(
            connection, load_effective(connection, workspace_id), facts, now
        )
        if view.checked_at is not None and view.comparison.differs:
            found[workspace_id, "geo"] = {
                "allowed_here_closed_there": list(view.comparison.allowed_here_closed_there),
                "closed_here_open_there": list(view.comparison.closed_here_open_there),
                "checked_at": rfc3339(view.checked_at),
            }
    return found


def _spikes(connection: Connection, now: datetime) -> tuple[Found, Collection[tuple[UUID, str]]]:
    """Return the workspaces with a spike of refusals, and those above half of one.

    Refusals by guards have their own alerts.
    """
    columns = refusals.c
    recent = (
        select(columns.workspace_id, columns.code, func.count())
        .where(columns.id >= first_id_at(now - SPIKE_WINDOW), columns.code != GuardTripped.__name__)
        .group_by(columns.workspace_id, columns.code)
    )
    codes: dict[UUID, Counter[str]] = defaultdict(Counter)
    for workspace_id, code, count in connection.execute(recent):
        codes[workspace_id][code] = count
    many = {key: found for key, found in codes.items() if found.total() > SPIKE_LEAST // 2}
    usual = _usual_refusals(connection, list(many), now)
    spikes, ebbing = {}, []
    for workspace_id, found in many.items():
        often = usual.get(workspace_id, 0)
        # Beyond so many a minute refusals are not listed, so the last part is a smaller factor.
        limit = max(SPIKE_LEAST, min(_SPIKE_FACTOR * often, max(_SPIKES_LISTED, 2 * often)))
        if found.total() > limit:
            spikes[workspace_id, "refusals"] = {
                "refusals": found.total(),
                "usual": often,
                "minutes": SPIKE_WINDOW // timedelta(minutes=1),
                "codes": dict(found.most_common()),
            }
        elif found.total() > limit // 2:
            ebbing.append((workspace_id, "refusals"))
    return spikes, ebbing


def _usual_refusals(
    connection: Connection, workspace_ids: Collection[UUID], now: datetime
) -> dict[UUID, int]:
    """Return the average number of refused sends in a period of that length, rounded up."""
    columns, today = refusal_counts.c, now.date()
    query = (
        select(columns.workspace_id, func.sum(columns.refusals))
        .where(
            columns.workspace_id.in_(workspace_ids),
            columns.day >= today - timedelta(days=_USUAL_DAYS),
            columns.day < today,
            columns.code != GuardTripped.__name__,
        )
        .group_by(columns.workspace_id)
    )
    windows = timedelta(days=_USUAL_DAYS) // SPIKE_WINDOW
    return {key: -(-int(count) // windows) for key, count in connection.execute(query)}


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
            "last_heartbeat_at": rfc3339(heard),
            "none_running": not running,
        }

    def _silent(self, running: Sequence[AnyRow], now: datetime) -> list[AnyRow]:
        """Return the workers that should have reported, one of each host."""
        # A worker that died and was started again has another name on the same host.
        last_of_host = {row.worker.rpartition(":")[0]: row for row in self.heartbeats}
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
