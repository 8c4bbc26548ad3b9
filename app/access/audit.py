"""The audit: who did what, written in the same transaction as the deed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert

from app.access.actor import Actor
from app.access.tables import audit_events
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done; ``target`` names the object by its id."""

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
