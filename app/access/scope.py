"""Row visibility: which workspaces a principal may see."""

from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from app.access.principal import Principal
from app.access.tables import organizations, workspaces
from app.kernel.errors import NotFound, ValidationFailed


def within_reach(principal: Principal, workspace_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Return the condition that a row of a workspace exists for this principal."""
    if principal.workspace_id is not None:
        return workspace_id == principal.workspace_id
    own = select(workspaces.c.id).where(workspaces.c.organization_id == principal.organization_id)
    return workspace_id.in_(own)


def require_workspace(connection: Connection, principal: Principal, workspace_id: UUID) -> None:
    """Make sure that a workspace exists for this principal.

    Raises:
        NotFound: it is absent or another tenant's.
    """
    query = select(workspaces.c.id).where(
        workspaces.c.id == workspace_id, within_reach(principal, workspaces.c.id)
    )
    if connection.execute(query).one_or_none() is None:
        raise NotFound


def lock_organization(connection: Connection, organization_id: UUID) -> None:
    """Serialize changes of an organization's configuration, so that names stay unique."""
    query = select(organizations.c.id).where(organizations.c.id == organization_id)
    # Without the key: rows that refer to the organization, as those of the audit, do not wait.
    connection.execute(query.with_for_update(key_share=True)).all()


def chosen_workspace(
    connection: Connection, principal: Principal, workspace_id: UUID | None, path: str
) -> UUID:
    """Return the workspace of a new object: the named one, or the key's own.

    Raises:
        ValidationFailed: a key of the organization names none, or one that it may not see.
    """
    if workspace_id is None:
        if principal.workspace_id is None:
            raise ValidationFailed({path: ["A key of the organization must name a workspace."]})
        return principal.workspace_id
    try:
        require_workspace(connection, principal, workspace_id)
    except NotFound as problem:
        raise ValidationFailed({path: ["There is no such workspace."]}) from problem
    return workspace_id
