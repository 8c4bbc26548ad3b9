"""The audit log, written in the transaction of the change."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select

from app.access.actor import Actor
from app.access.tables import audit_events, workspaces
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class Deed:
    """One audit event; ``target`` is the object's id, ``reason`` explains the change."""

    organization_id: UUID
    workspace_id: UUID | None
    action: str
    target: str | None = None
    reason: str | None = None


def note_deed(connection: Connection, actor: Actor, deed: Deed, now: datetime) -> None:
    """Write an audit row."""
    connection.execute(
        insert(audit_events).values(
            id=new_id(),
            organization_id=deed.organization_id,
            workspace_id=deed.workspace_id,
            at=now,
            actor_kind=actor.kind,
            actor_id=actor.actor_id,
            actor_name=actor.name,
            action=deed.action,
            target=deed.target,
            reason=deed.reason,
        )
    )


def note_in_workspace(
    connection: Connection,
    actor: Actor,
    workspace_id: UUID,
    action: str,
    now: datetime,
    *,
    target: object,
    reason: str | None = None,
) -> None:
    """Write an audit event of a workspace."""
    query = select(workspaces.c.organization_id).where(workspaces.c.id == workspace_id)
    owner = connection.execute(query).scalar_one()
    note_deed(connection, actor, Deed(owner, workspace_id, action, str(target), reason), now)
