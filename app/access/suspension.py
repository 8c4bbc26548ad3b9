"""Suspending and resuming a workspace's sends."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, update

from app.access.audit import AuditEvent, record_audit_event
from app.access.principal import Actor
from app.access.store import load_workspace
from app.access.tables import workspaces
from app.db.rows import AnyRow
from app.kernel.errors import NotFound


def set_suspended(
    connection: Connection,
    workspace_id: UUID,
    *,
    suspended: bool,
    reason: str,
    actor: Actor,
    now: datetime,
) -> AnyRow:
    """Suspend or resume a workspace; repeating it changes nothing. Raises `NotFound`."""
    other_state = (
        workspaces.c.suspended_at.is_(None) if suspended else workspaces.c.suspended_at.is_not(None)
    )
    done = connection.execute(
        update(workspaces)
        .where(workspaces.c.id == workspace_id, other_state)
        .values(
            suspended_at=now if suspended else None,
            suspended_reason=reason if suspended else None,
            updated_at=now,
        )
    )
    row = load_workspace(connection, workspace_id)
    if row is None:
        raise NotFound
    # Of several requests at once, only the first changes the row.
    if done.rowcount == 0:
        return row
    audit_event = AuditEvent(
        organization_id=row.organization_id,
        workspace_id=workspace_id,
        action="workspace.frozen" if suspended else "workspace.thawed",
        target=str(workspace_id),
        reason=reason,
    )
    record_audit_event(connection, actor, audit_event, now)
    return row
