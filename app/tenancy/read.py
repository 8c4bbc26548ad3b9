"""SQL of the workspaces that are visible to a principal."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.principal import Principal
from app.access.store import required, visible_to
from app.access.tables import workspaces
from app.db.filters import PageFilter, equal, given, load_page
from app.db.rows import AnyRow


@dataclass(frozen=True, slots=True)
class WorkspaceFilter(PageFilter):
    workspace_id: UUID | None = None
    parent_id: UUID | None = None


def load_workspaces(
    connection: Connection, principal: Principal, wanted: WorkspaceFilter
) -> list[AnyRow]:
    """Load `limit` + 1 rows, oldest first."""
    conditions = equal(wanted, workspaces, "parent_id")
    conditions += given((wanted.workspace_id, workspaces.c.id.__eq__))
    query = select(workspaces).where(visible_to(principal, workspaces.c.id), *conditions)
    return load_page(connection, query, workspaces, wanted, oldest_first=True)


def require_own_workspace(
    connection: Connection, principal: Principal, workspace_id: UUID
) -> AnyRow:
    """Raises `NotFound`."""
    columns = workspaces.c
    query = select(workspaces).where(columns.id == workspace_id, visible_to(principal, columns.id))
    return required(connection.execute(query).one_or_none())


def is_taken(connection: Connection, organization_id: UUID, name: str) -> bool:
    columns = workspaces.c
    query = select(columns.id).where(
        columns.organization_id == organization_id, columns.name == name
    )
    return connection.execute(query).one_or_none() is not None


def load_parents(connection: Connection, organization_id: UUID) -> dict[UUID, UUID | None]:
    columns = workspaces.c
    query = select(columns.id, columns.parent_id).where(columns.organization_id == organization_id)
    return {row.id: row.parent_id for row in connection.execute(query)}
