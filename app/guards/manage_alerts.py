"""Listing and acknowledging alerts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, select, update

from app.access.audit import record_workspace_event
from app.access.principal import Principal
from app.access.store import required, visible_to
from app.db.rows import AnyRow, PageFilter, equal, given, load_page
from app.guards.alerts import AlertKind
from app.guards.tables import alerts


class AlertState(StrEnum):
    OPEN = "open"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class AlertFilter(PageFilter):
    workspace_id: UUID | None = None
    kind: AlertKind | None = None
    state: AlertState | None = None
    is_acknowledged: bool | None = None


def load_alerts(connection: Connection, principal: Principal, wanted: AlertFilter) -> list[AnyRow]:
    columns = alerts.c
    conditions = equal(wanted, alerts, "workspace_id", "kind") + given(
        (wanted.state, lambda state: columns.cleared_at.is_(None) == (state is AlertState.OPEN)),
        (wanted.is_acknowledged, lambda is_so: columns.acknowledged_at.isnot(None) == is_so),
    )
    query = select(alerts).where(visible_to(principal, columns.workspace_id), *conditions)
    return load_page(connection, query, alerts, wanted)


def acknowledge(
    connection: Connection, principal: Principal, alert_id: UUID, now: datetime
) -> AnyRow:
    """The first time counts. Raises `NotFound`."""
    columns = alerts.c
    own = select(alerts).where(columns.id == alert_id, visible_to(principal, columns.workspace_id))
    found = required(connection.execute(own.with_for_update()).one_or_none())
    if found.acknowledged_at is not None:
        return found
    connection.execute(
        update(alerts)
        .where(columns.id == alert_id)
        .values(acknowledged_at=now, acknowledged_by=principal.key_name)
    )
    of_alert = found.workspace_id, "alert.acknowledged", now
    record_workspace_event(connection, principal, *of_alert, target=alert_id)
    return connection.execute(own).one()
