"""Routes of alerts."""

from uuid import UUID

from app.access.guard import ADMIN, VIEWER
from app.access.principal import Principal
from app.db.engine import Database
from app.guards.alerts import render_alert
from app.guards.manage_alerts import AcknowledgeAlert, AlertFilter, load_alerts
from app.guards.schemas import AlertListQuery, AlertPage, AlertView
from app.kernel import errors as e
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Json, Routes

routes = Routes("Alerts")


@routes.add("GET", "/v1/alerts", VIEWER, {200: AlertPage}, query=AlertListQuery)
def list_alerts(principal: Principal, query: AlertFilter) -> Json:
    """List alerts, newest first."""
    with get_service(Database).reading() as connection:
        found = load_alerts(connection, principal, query)
    return page(found, query.limit, render_alert)


@routes.add(
    "POST", "/v1/alerts/{alert_id}/acknowledge", ADMIN, {200: AlertView}, errors=(e.NotFound,)
)
def acknowledge_alert(principal: Principal, alert_id: UUID) -> Json:
    """Acknowledge an alert; the first acknowledgement counts."""
    found = get_service(AcknowledgeAlert)(principal, alert_id)
    return render_alert(found)
