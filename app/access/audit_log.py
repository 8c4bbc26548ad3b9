"""SQL of the audit events that a principal may see."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.principal import ActorKind, Principal
from app.access.tables import audit_events
from app.db.filters import given
from app.db.rows import AnyRow


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which audit rows a list shows; ``actor_name`` is how the name begins, in any case."""

    limit: int
    page_token: UUID | None = None
    workspace_id: UUID | None = None
    action: str | None = None
    actor_kind: ActorKind | None = None
    actor_name: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def load_audit_events(
    connection: Connection, principal: Principal, wanted: AuditFilter
) -> list[AnyRow]:
    """Load a page, newest first, and one more row if a next page exists.

    Events of the organization itself are visible to principals of the organization only.
    """
    columns = audit_events.c
    if principal.workspace_id is None:
        seen = columns.organization_id == principal.organization_id
    else:
        seen = columns.workspace_id == principal.workspace_id
    conditions = given(
        (wanted.page_token, columns.id.__lt__),
        (wanted.workspace_id, columns.workspace_id.__eq__),
        (wanted.action, columns.action.__eq__),
        (wanted.actor_kind, columns.actor_kind.__eq__),
        (wanted.actor_name, lambda name: columns.actor_name.istartswith(name, autoescape=True)),
        (wanted.created_after, columns.at.__gt__),
        (wanted.created_before, columns.at.__lt__),
    )
    query = (
        select(audit_events)
        .where(seen, *conditions)
        .order_by(columns.id.desc())
        .limit(wanted.limit + 1)
    )
    return list(connection.execute(query))
