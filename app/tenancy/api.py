"""Routes of workspaces; suspending is in `app.access.workspaces_api`."""

from functools import partial
from typing import Any
from uuid import UUID

from app.access.guard import OWNER, VIEWER
from app.access.principal import Principal, actor_of
from app.access.workspaces_api import WorkspaceView, render_workspace
from app.db.engine import Database
from app.kernel import errors as e
from app.tenancy.create import NewWorkspace
from app.tenancy.manage import ManageWorkspaces
from app.tenancy.read import WorkspaceFilter, load_workspaces, require_own_workspace
from app.tenancy.schemas import (
    WorkspaceBody,
    WorkspaceChange,
    WorkspaceListQuery,
    WorkspacePage,
)
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Json, Routes

routes = Routes("Workspaces")
PATH = "/v1/workspaces"
# A new auth token is proven at the provider.
_OF_LINKING = (e.ProviderUnavailable, e.RateLimited)


@routes.add("GET", PATH, VIEWER, {200: WorkspacePage}, query=WorkspaceListQuery)
def list_workspaces(principal: Principal, query: WorkspaceFilter) -> Json:
    """List workspaces, oldest first."""
    with get_service(Database).reading() as connection:
        found = load_workspaces(connection, principal, query)
    written = partial(render_workspace, role=principal.role)
    return page(found, query.limit, written)


@routes.add("POST", PATH, OWNER, {201: WorkspaceView}, body=WorkspaceBody, errors=_OF_LINKING)
def post_workspace(principal: Principal, body: NewWorkspace) -> Json:
    """Create a workspace that may reach its home country, or inherits from its parent."""
    row = get_service(ManageWorkspaces).create(principal, body, actor_of(principal))
    return render_workspace(row, principal.role)


@routes.add("GET", PATH + "/{workspace_id}", VIEWER, {200: WorkspaceView}, errors=(e.NotFound,))
def get_workspace(principal: Principal, workspace_id: UUID) -> Json:
    """Show one workspace."""
    with get_service(Database).reading() as connection:
        row = require_own_workspace(connection, principal, workspace_id)
    return render_workspace(row, principal.role)


@routes.add(
    "PATCH",
    PATH + "/{workspace_id}",
    OWNER,
    {200: WorkspaceView},
    body=WorkspaceChange,
    errors=(e.NotFound, *_OF_LINKING),
)
def patch_workspace(principal: Principal, workspace_id: UUID, body: dict[str, Any]) -> Json:
    """Change name, home country, provider account or retention times."""
    row = get_service(ManageWorkspaces).change(principal, workspace_id, body, actor_of(principal))
    return render_workspace(row, principal.role)
