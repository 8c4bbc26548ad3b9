"""The route of the audit log."""

from typing import Any
from uuid import UUID

from app.access.audit import AuditFilter, load_audit_events
from app.access.guard import Requires
from app.access.principal import Principal, Role
from app.access.schemas import AuditListQuery, AuditPage
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel.clock import rfc3339
from app.web.bodies import Query
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Answer, Routes, json_answer

routes = Routes("Audit")
_LIST: Query[AuditFilter] = Query(AuditListQuery)


@routes.add(
    "GET", "/v1/audit-events", guard=Requires(Role.ADMIN), query=_LIST, answers={200: AuditPage}
)
def list_audit_events(principal: Principal) -> Answer:
    """List audit events, newest first."""
    wanted = _LIST.read()
    with get_service(Database).reading() as connection:
        found = load_audit_events(connection, principal, wanted)
    return json_answer(page(found, wanted.limit, lambda row: row.id, render_audit_event))


def render_audit_event(row: AnyRow) -> dict[str, Any]:
    def text(value: UUID | None) -> str | None:
        return None if value is None else str(value)

    return {
        "id": str(row.id),
        "at": rfc3339(row.at),
        "workspace_id": text(row.workspace_id),
        "actor": {"kind": row.actor_kind, "id": text(row.actor_id), "name": row.actor_name},
        "action": row.action,
        "target": row.target,
        "reason": row.reason,
    }
