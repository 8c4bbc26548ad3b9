"""Suspending and resuming a workspace's sends."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, update

from app.access.actor import Actor
from app.access.audit import Deed, note_deed
from app.access.store import load_workspace
from app.access.tables import workspaces
from app.db.rows import AnyRow
from app.kernel.errors import NotFound


def set_frozen(
    connection: Connection,
    workspace_id: UUID,
    *,
    frozen: bool,
    reason: str,
    actor: Actor,
    now: datetime,
) -> AnyRow:
    """Suspend or resume a workspace and record the author; repeating it changes nothing.

    Raises:
        NotFound: there is no such workspace.
    """
    other_state = (
        workspaces.c.frozen_at.is_(None) if frozen else workspaces.c.frozen_at.is_not(None)
    )
    done = connection.execute(
        update(workspaces)
        .where(workspaces.c.id == workspace_id, other_state)
        .values(
            frozen_at=now if frozen else None,
            frozen_reason=reason if frozen else None,
            updated_at=now,
        )
    )
    row = load_workspace(connection, workspace_id)
    if row is None:
        raise NotFound
    # Of several at once only the first does it; the others find it done.
    if done.rowcount == 0:
        return row
    deed = Deed(
        organization_id=row.organization_id,
        workspace_id=workspace_id,
        action="workspace.frozen" if frozen else "workspace.thawed",
        target=str(workspace_id),
        reason=reason,
    )
    note_deed(connection, actor, deed, now)
    return row
