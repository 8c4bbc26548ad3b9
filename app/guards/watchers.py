"""Alerts about endpoints, geo permissions, refusals, clocks and workers.

They follow from stored data, which the worker checks periodically.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, or_, select, update

from app.access.tables import workspaces
from app.db.clock import LARGEST_SKEW
from app.db.engine import Database
from app.db.heartbeats import worker_heartbeats
from app.destinations.geo_permissions.check import load_permissions_view
from app.destinations.storage.policies import load_effective
from app.destinations.tables import refusal_counts, refusals
from app.guards.alerts import AlertKind, clear_alerts, open_alert
from app.guards.tables import alerts
from app.kernel.clock import Clock, rfc3339
from app.kernel.errors import GuardTripped
from app.kernel.ids import first_id_at
from app.providers.port import GeoFacts
from app.webhooks.record_attempt import GIVEN_UP, GONE
from app.webhooks.tables import webhook_endpoints

# A single failure opens no alert: a receiver may be restarting.
_FAILING_AFTER = timedelta(minutes=5)
# A spike is that many refusals in so short a time, and as many times what is usual.
SPIKE_WINDOW = timedelta(minutes=10)
SPIKE_LEAST = 50
_SPIKE_FACTOR = 10
_USUAL_DAYS = 15
_SPIKES_LISTED = 1000
# A heartbeat comes every 10 seconds. What is older than the second time is a worker of the past.
SILENT_AFTER = timedelta(minutes=2)
_SILENT_UNTIL = timedelta(hours=1)

# The alert details by subject of a workspace.
_Found = Mapping[tuple[UUID, str], dict[str, Any]]


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
            clocks, workers = _installation(connection, now)
        self._update(AlertKind.ENDPOINT_FAILING, failing, now)
        self._update(AlertKind.GEO_DRIFT, drift, now)
        self._update(AlertKind.REFUSALS_SPIKED, spikes, now, still=ebbing)
        self._update(AlertKind.CLOCK_DIFFERS, clocks, now)
        self._update(AlertKind.WORKER_STUCK, workers, now)
        return 0

    def _update(
        self,
        kind: AlertKind,
        found: _Found,
        now: datetime,
        still: Collection[tuple[UUID, str]] = (),
    ) -> None:
        """Open ``found``; clear others, unless they are in ``still``."""
        columns = alerts.c
        query = select(columns.id, columns.workspace_id, columns.subject, columns.details).where(
            columns.kind == kind, columns.cleared_at.is_(None)
        )
        with self.database.reading() as connection:
            rows = {(row.workspace_id, row.subject): row for row in connection.execute(query)}
        over = [row.id for key, row in rows.items() if key not in found and key not in still]
        new = {key: details for key, details in found.items() if key not in rows}
        changed = {
            row.id: found[key]
            for key, row in rows.items()
            if key in found and row.details != found[key]
        }
        if not over and not new and not changed:
            return
        with self.database.writing() as connection:
            clear_alerts(connection, columns.id.in_(over), now)
            for alert_id, details in changed.items():
                values = {"details": details, "last_at": now}
                connection.execute(update(alerts).where(columns.id == alert_id).values(**values))
            for (workspace_id, subject), details in new.items():
                open_alert(connection, workspace_id, kind, subject, now, details=details)


def _failing_endpoints(connection: Connection, now: datetime) -> _Found:
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
            "failing_since": None if row.first_failed_at is None else rfc3339(row.first_failed_at),
            "active": row.active,
        }
        for row in connection.execute(query)
    }


def _drift(connection: Connection, facts: GeoFacts, now: datetime) -> _Found:
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


def _spikes(connection: Connection, now: datetime) -> tuple[_Found, Collection[tuple[UUID, str]]]:
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


def _installation(connection: Connection, now: datetime) -> tuple[_Found, _Found]:
    """Return the problems of workers and their clocks, for each workspace."""
    columns = worker_heartbeats.c
    query = select(worker_heartbeats).where(
        columns.at > now - _SILENT_UNTIL, columns.stopped_at.is_(None)
    )
    rows = connection.execute(query).all()
    alive = [row for row in rows if row.at > now - SILENT_AFTER]
    hosts = {_host(row.worker) for row in alive}
    # A worker that died and was started again has another name on the same host.
    silent = [row for row in rows if row not in alive and _host(row.worker) not in hosts]
    tasks = sorted({row.stuck_task for row in alive if row.stuck_task})
    most = LARGEST_SKEW.total_seconds()
    skews = [row.skew_seconds for row in alive if abs(row.skew_seconds or 0) >= most]
    clocks: dict[str, Any] = {"skew_seconds": max(skews, key=abs)} if skews else {}
    workers: dict[str, Any] = {}
    if tasks or silent:
        heard = max((row.at for row in silent), default=None)
        workers = {
            "tasks": tasks,
            "silent_workers": len(silent),
            "last_heartbeat_at": None if heard is None else rfc3339(heard),
        }
    if not clocks and not workers:
        return {}, {}
    ids = connection.execute(select(workspaces.c.id)).scalars().all()
    return (
        {(one, "clock"): clocks for one in ids if clocks},
        {(one, "worker"): workers for one in ids if workers},
    )


def _host(worker: str) -> str:
    return worker.rpartition(":")[0]
