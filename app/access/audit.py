"""SQL of audit events."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select

from app.access.principal import Actor, ActorKind, Principal, actor_of
from app.access.tables import audit_events, workspaces
from app.db.rows import AnyRow, PageFilter, equal, given, load_page
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """``target`` is the object's id, ``reason`` explains the change."""

    organization_id: UUID
    workspace_id: UUID | None
    action: str
    target: str | None = None
    reason: str | None = None


def record_audit_event(
    connection: Connection, by: Actor | Principal, audit_event: AuditEvent, now: datetime
) -> None:
    actor = actor_of(by) if isinstance(by, Principal) else by
    connection.execute(
        insert(audit_events).values(
            id=new_id(),
            at=now,
            actor_kind=actor.kind,
            actor_id=actor.actor_id,
            actor_name=actor.name,
            **asdict(audit_event),
        )
    )


@dataclass(frozen=True, slots=True)
class WorkspaceEvent:
    workspace_id: UUID
    action: str
    target: object
    reason: str | None = None


def record_workspace_event(
    connection: Connection, by: Actor | Principal, event: WorkspaceEvent, now: datetime
) -> None:
    query = select(workspaces.c.organization_id).where(workspaces.c.id == event.workspace_id)
    owner = connection.execute(query).scalar_one()
    values = asdict(event) | {"target": str(event.target)}
    record_audit_event(connection, by, AuditEvent(owner, **values), now)


@dataclass(frozen=True, slots=True)
class AuditFilter(PageFilter):
    """``actor_name`` is a prefix without regard to case."""

    workspace_id: UUID | None = None
    action: str | None = None
    actor_kind: ActorKind | None = None
    actor_name: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def load_audit_events(
    connection: Connection, principal: Principal, wanted: AuditFilter
) -> list[AnyRow]:
    """Events of the organization are visible to its own principals only."""
    columns = audit_events.c
    if principal.workspace_id is None:
        seen = columns.organization_id == principal.organization_id
    else:
        seen = columns.workspace_id == principal.workspace_id
    conditions = equal(wanted, audit_events, "workspace_id", "action", "actor_kind") + given(
        (wanted.actor_name, lambda name: columns.actor_name.istartswith(name, autoescape=True)),
        (wanted.created_after, columns.at.__gt__),
        (wanted.created_before, columns.at.__lt__),
    )
    query = select(audit_events).where(seen, *conditions)
    return load_page(connection, query, audit_events, wanted)
