"""SQL of audit events."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select

from app.access.principal import Actor, ActorKind, Principal, actor_of
from app.access.tables import audit_events, workspaces
from app.db.rows import AnyRow, PageFilter, equal, given, load_page
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """``target`` is the object's id, ``reason`` explains the change.

    Without an organization, it is the workspace's.
    """

    action: str
    workspace_id: UUID | None = None
    target: object = None
    reason: str | None = None
    organization_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """The transaction of a change, with the actor and the time of its audit events."""

    connection: Connection
    actor: Actor
    now: datetime

    def record(self, event: AuditEvent) -> None:
        owner = select(workspaces.c.organization_id).where(workspaces.c.id == event.workspace_id)
        self.connection.execute(
            insert(audit_events).values(
                id=new_id(),
                at=self.now,
                organization_id=event.organization_id or owner.scalar_subquery(),
                workspace_id=event.workspace_id,
                **self.actor.columns,
                action=event.action,
                target=None if event.target is None else str(event.target),
                reason=event.reason,
            )
        )

    def record_of(self, row: AnyRow, action: str, reason: str | None = None) -> None:
        """Record an event about a row, of its workspace or organization."""
        places = getattr(row, "workspace_id", None), getattr(row, "organization_id", None)
        self.record(AuditEvent(action, places[0], row.id, reason, places[1]))


@dataclass(frozen=True, slots=True)
class PrincipalChange(AuditedChange):
    """A change of what its principal sees."""

    principal: Principal

    @classmethod
    def by(cls, principal: Principal, connection: Connection, now: datetime) -> "PrincipalChange":
        return cls(connection, actor_of(principal), now, principal)

    @property
    def organization_id(self) -> UUID:
        return self.principal.organization_id


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
