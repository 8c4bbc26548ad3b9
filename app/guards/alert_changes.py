"""Opens and clears the alerts of one kind, so that they match the problems found."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, select, update

from app.guards.alerts import AlertKind, clear_alerts, open_alert
from app.guards.tables import alerts

# The workspace and the subject of an alert, and its details.
Found: TypeAlias = Mapping[tuple[UUID, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class AlertChanges:
    kind: AlertKind
    new: Found
    changed: Mapping[UUID, dict[str, Any]]
    over: Collection[UUID]

    @property
    def is_empty(self) -> bool:
        return not self.new and not self.changed and not self.over


def find_changes(
    connection: Connection, kind: AlertKind, found: Found, still: Collection[tuple[UUID, str]] = ()
) -> AlertChanges:
    """Compare ``found`` to the open alerts; those in ``still`` stay open, too."""
    columns = alerts.c
    query = select(columns.id, columns.workspace_id, columns.subject, columns.details).where(
        columns.kind == kind, columns.cleared_at.is_(None)
    )
    rows = {(row.workspace_id, row.subject): row for row in connection.execute(query)}
    return AlertChanges(
        kind,
        new={key: details for key, details in found.items() if key not in rows},
        changed={
            row.id: found[key]
            for key, row in rows.items()
            if key in found and row.details != found[key]
        },
        over=[row.id for key, row in rows.items() if key not in found and key not in still],
    )


def apply_changes(connection: Connection, changes: AlertChanges, now: datetime) -> None:
    columns = alerts.c
    clear_alerts(connection, columns.id.in_(list(changes.over)), now)
    for alert_id, details in changes.changed.items():
        values = {"details": details, "last_at": now}
        connection.execute(update(alerts).where(columns.id == alert_id).values(**values))
    for (workspace_id, subject), details in changes.new.items():
        open_alert(connection, workspace_id, changes.kind, subject, now, details=details)
