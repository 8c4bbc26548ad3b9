"""Alerts about webhook endpoints that fail, and about geo permissions that differ from policies.

They follow from what others have stored, so the worker looks at it now and then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, or_, select

from app.access.tables import workspaces
from app.db.engine import Database
from app.destinations.geo_permissions.check import load_permissions_view
from app.destinations.storage.policies import load_effective
from app.guards.alerts import AlertKind, clear_alerts, open_alert
from app.guards.tables import alerts
from app.kernel.clock import Clock, rfc3339
from app.webhooks.record_attempt import GIVEN_UP, GONE
from app.webhooks.tables import webhook_endpoints

# One attempt that fails is no alert: a receiver that restarts is away for some seconds.
_FAILING_AFTER = timedelta(minutes=5)

# What an alert of each subject of a workspace says.
_Found = Mapping[tuple[UUID, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class WatchOthers:
    """One round of the worker over endpoints and geo permissions."""

    database: Database
    clock: Clock

    def run_once(self) -> int:
        """Open and clear the alerts that are due."""
        now = self.clock.now()
        with self.database.reading() as connection:
            failing = _failing_endpoints(connection, now)
            drift = _drift(connection, now)
        self._update(AlertKind.ENDPOINT_FAILING, failing, now)
        self._update(AlertKind.GEO_DRIFT, drift, now)
        return 0

    def _update(self, kind: AlertKind, found: _Found, now: datetime) -> None:
        columns = alerts.c
        query = select(columns.id, columns.workspace_id, columns.subject, columns.details).where(
            columns.kind == kind, columns.cleared_at.is_(None)
        )
        with self.database.reading() as connection:
            rows = {(row.workspace_id, row.subject): row for row in connection.execute(query)}
        over = [row.id for key, row in rows.items() if key not in found]
        new = {key: details for key, details in found.items() if key not in rows}
        if not over and not new:
            return
        with self.database.writing() as connection:
            clear_alerts(connection, columns.id.in_(over), now)
            # Another worker may have opened one since.
            known = {(row.workspace_id, row.subject) for row in connection.execute(query)}
            for (workspace_id, subject), details in new.items():
                if (workspace_id, subject) not in known:
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


def _drift(connection: Connection, now: datetime) -> _Found:
    with_account = select(workspaces.c.id).where(workspaces.c.account_sid.isnot(None))
    found = {}
    for workspace_id in connection.execute(with_account).scalars().all():
        view = load_permissions_view(connection, load_effective(connection, workspace_id), now)
        if view.checked_at is not None and view.comparison.differs:
            found[workspace_id, "geo"] = {
                "allowed_here_closed_there": list(view.comparison.allowed_here_closed_there),
                "closed_here_open_there": list(view.comparison.closed_here_open_there),
                "checked_at": rfc3339(view.checked_at),
            }
    return found
