"""Alerts as others see them: listed and acknowledged, with their routes and schemas."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from marshmallow import fields, post_load
from sqlalchemy import Connection, select

from app.access.audit import PrincipalChange
from app.access.guard import ADMIN, VIEWER, changing
from app.access.principal import Principal
from app.access.store import required, visible_to
from app.db.rows import AnyRow, PageFilter, equal, given, load_page, update_row
from app.guards.alerts import AlertKind, render_alert
from app.guards.tables import alerts
from app.kernel import errors as e
from app.web.fields import Choice, Id, View, one_of
from app.web.pages import PageQuery, page, page_of
from app.web.registry import reading
from app.web.routes import Json, Routes


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


def acknowledge(change: PrincipalChange, alert_id: UUID) -> AnyRow:
    """The first time counts. Raises `NotFound`."""
    connection, principal, columns = change.connection, change.principal, alerts.c
    own = select(alerts).where(columns.id == alert_id, visible_to(principal, columns.workspace_id))
    found = required(connection.execute(own.with_for_update()).one_or_none())
    if found.acknowledged_at is not None:
        return found
    by, now = change.actor.name, change.now
    update_row(connection, alerts, alert_id, acknowledged_at=now, acknowledged_by=by)
    change.record_of(found, "alert.acknowledged")
    return connection.execute(own).one()


class AlertListQuery(PageQuery):
    workspace_id = Id()
    kind = Choice(AlertKind)
    state = Choice(AlertState)
    acknowledged = fields.String(validate=one_of(("true", "false")))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AlertFilter:
        if "acknowledged" in data:
            data["is_acknowledged"] = data.pop("acknowledged") == "true"
        return AlertFilter(**data)


_DETAILS = {
    "guard": "country",
    "window": "hour",
    "scope": "workspace",
    "use_case_id": None,
    "value": "MA",
    "mode": "enforce",
    "limit": 50,
    "hits": 1950,
}


class AlertView(View):
    """An alert; a number in its details is masked."""

    id = fields.UUID()
    workspace_id = fields.UUID()
    kind = fields.String(validate=one_of(AlertKind))
    opened_at = fields.DateTime()
    last_at = fields.DateTime()
    cleared_at = fields.DateTime(allow_none=True)
    acknowledged_at = fields.DateTime(allow_none=True)
    acknowledged_by = fields.String(allow_none=True)
    details = fields.Dict(metadata={"example": _DETAILS})


AlertPage = page_of(AlertView, "A page of alerts, newest first.")

routes = Routes("Alerts")


@routes.add("GET", "/v1/alerts", VIEWER, {200: AlertPage}, query=AlertListQuery)
def list_alerts(principal: Principal, query: AlertFilter) -> Json:
    """List alerts, newest first."""
    with reading() as connection:
        found = load_alerts(connection, principal, query)
    return page(found, query.limit, render_alert)


@routes.add(
    "POST", "/v1/alerts/{alert_id}/acknowledge", ADMIN, {200: AlertView}, errors=(e.NotFound,)
)
def acknowledge_alert(principal: Principal, alert_id: UUID) -> Json:
    """Acknowledge an alert; the first acknowledgement counts."""
    with changing(principal) as change:
        return render_alert(acknowledge(change, alert_id))
