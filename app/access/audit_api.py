"""The route of the audit log."""

from typing import Any

from app.access.audit import AuditFilter, load_audit_events
from app.access.guard import ADMIN
from app.access.principal import Principal
from app.access.schemas import AuditEventView, AuditListQuery, AuditPage
from app.db.rows import AnyRow
from app.web.database import reading
from app.web.pages import page
from app.web.routes import Json, Routes

routes = Routes("Audit")


@routes.add("GET", "/v1/audit-events", ADMIN, {200: AuditPage}, query=AuditListQuery)
def list_audit_events(principal: Principal, query: AuditFilter) -> Json:
    """List audit events, newest first."""
    with reading() as connection:
        found = load_audit_events(connection, principal, query)
    return page(found, query.limit, render_audit_event)


def render_audit_event(row: AnyRow) -> dict[str, Any]:
    actor = {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name}
    return AuditEventView.write(row, actor=actor)
