"""Routes of workspaces; suspending is in `app.access.workspaces_api`."""

from functools import partial
from typing import Any
from uuid import UUID

from app.access.guard import Requires
from app.access.principal import Principal, Role, actor_of
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
from app.web.bodies import JsonBody, Query
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Answer, Routes, json_answer

routes = Routes("Workspaces")
PATH = "/v1/workspaces"
# A new auth token is proven at the provider.
_OF_LINKING = (e.ProviderUnavailable, e.RateLimited)
_ADD: JsonBody[NewWorkspace] = JsonBody(WorkspaceBody)
_CHANGE: JsonBody[dict[str, Any]] = JsonBody(WorkspaceChange)
_LIST: Query[WorkspaceFilter] = Query(WorkspaceListQuery)


@routes.add("GET", PATH, guard=Requires(Role.VIEWER), query=_LIST, answers={200: WorkspacePage})
def list_workspaces(principal: Principal) -> Answer:
    """List workspaces, oldest first."""
    wanted = _LIST.read()
    with get_service(Database).reading() as connection:
        found = load_workspaces(connection, principal, wanted)
    written = partial(render_workspace, role=principal.role)
    return json_answer(page(found, wanted.limit, lambda row: row.id, written))


@routes.add(
    "POST",
    PATH,
    guard=Requires(Role.OWNER),
    body=_ADD,
    answers={201: WorkspaceView},
    errors=_OF_LINKING,
)
def post_workspace(principal: Principal) -> Answer:
    """Create a workspace that may reach its home country, or inherits from its parent."""
    row = get_service(ManageWorkspaces).create(principal, _ADD.read(), actor_of(principal))
    return json_answer(render_workspace(row, principal.role), 201)


@routes.add(
    "GET",
    PATH + "/{workspace_id}",
    guard=Requires(Role.VIEWER),
    answers={200: WorkspaceView},
    errors=(e.NotFound,),
)
def get_workspace(principal: Principal, workspace_id: UUID) -> Answer:
    """Show one workspace."""
    with get_service(Database).reading() as connection:
        row = require_own_workspace(connection, principal, workspace_id)
    return json_answer(render_workspace(row, principal.role))


@routes.add(
    "PATCH",
    PATH + "/{workspace_id}",
    guard=Requires(Role.OWNER),
    body=_CHANGE,
    answers={200: WorkspaceView},
    errors=(e.NotFound, *_OF_LINKING),
)
def patch_workspace(principal: Principal, workspace_id: UUID) -> Answer:
    """Change name, home country, provider account or retention times."""
    wanted, actor = _CHANGE.read(), actor_of(principal)
    row = get_service(ManageWorkspaces).change(principal, workspace_id, wanted, actor)
    return json_answer(render_workspace(row, principal.role))
