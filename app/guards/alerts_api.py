"""Routes of alerts."""

from uuid import UUID

from app.access.guard import Requires
from app.access.principal import Principal, Role, actor_of
from app.db.engine import Database
from app.guards.alerts import render_alert
from app.guards.manage_alerts import AcknowledgeAlert, AlertFilter, load_alerts
from app.guards.schemas import AlertListQuery, AlertPage, AlertView
from app.kernel import errors as e
from app.web.bodies import Query
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Answer, Routes, json_answer

routes = Routes("Alerts")
_LIST: Query[AlertFilter] = Query(AlertListQuery)


@routes.add("GET", "/v1/alerts", guard=Requires(Role.VIEWER), query=_LIST, answers={200: AlertPage})
def list_alerts(principal: Principal) -> Answer:
    """List alerts, newest first."""
    wanted = _LIST.read()
    with get_service(Database).reading() as connection:
        found = load_alerts(connection, principal, wanted)
    return json_answer(page(found, wanted.limit, lambda row: row.id, render_alert))


@routes.add(
    "POST",
    "/v1/alerts/{alert_id}/acknowledge",
    guard=Requires(Role.ADMIN),
    answers={200: AlertView},
    errors=(e.NotFound,),
)
def acknowledge_alert(principal: Principal, alert_id: UUID) -> Answer:
    """Note that an alert was seen; the first acknowledgement stands."""
    found = get_service(AcknowledgeAlert)(principal, alert_id, actor_of(principal))
    return json_answer(render_alert(found))
