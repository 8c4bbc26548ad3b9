"""Alerts about endpoints, geo permissions and refusals.

They follow from stored data, which the worker checks periodically.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, or_, select

from app.access.tables import workspaces
from app.db.engine import Database
from app.destinations.geo_permissions.check import load_permissions_view
from app.destinations.storage.policies import load_effective
from app.destinations.tables import refusal_counts, refusals
from app.guards.alerts import AlertKind, Found, apply_changes, find_changes
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
            "failing_since": None if row.first_failed_at is None else rfc3339(row.first_failed_at),
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
