"""Routes of workspaces as a whole; freezing and thawing stand in `app.access.workspaces_api`."""

from typing import Any
from uuid import UUID

from app.access.actor import actor_of
from app.access.guard import Requires
from app.access.principal import Principal
from app.access.roles import Role
from app.access.workspaces_api import WorkspaceView, render
from app.db.engine import Database
from app.db.vault import Vault
from app.kernel import errors as e
from app.kernel.clock import Clock
from app.tenancy.change import change_workspace
from app.tenancy.create import NewWorkspace, create_workspace
from app.tenancy.read import WorkspaceFilter, load_workspaces, require_own_workspace
from app.tenancy.schemas import (
    WorkspaceBody,
    WorkspaceChange,
    WorkspaceListQuery,
    WorkspacePage,
)
from app.web.bodies import JsonBody, Query
from app.web.pages import page
from app.web.routes import Answer, Routes, json_answer
from app.web.wiring import service

routes = Routes("Workspaces")
PATH = "/v1/workspaces"
_ADD: JsonBody[NewWorkspace] = JsonBody(WorkspaceBody)
_CHANGE: JsonBody[dict[str, Any]] = JsonBody(WorkspaceChange)
_LIST: Query[WorkspaceFilter] = Query(WorkspaceListQuery)


@routes.add("GET", PATH, guard=Requires(Role.VIEWER), query=_LIST, answers={200: WorkspacePage})
def list_workspaces(principal: Principal) -> Answer:
    """List workspaces, oldest first."""
    wanted = _LIST.read()
    with service(Database).reading() as connection:
        found = load_workspaces(connection, principal, wanted)
    return json_answer(page(found, wanted.limit, lambda row: row.id, render))


@routes.add("POST", PATH, guard=Requires(Role.OWNER), body=_ADD, answers={201: WorkspaceView})
def post_workspace(principal: Principal) -> Answer:
    """Make a workspace that may reach its home country, or whom its parent may reach."""
    wanted, actor, now = _ADD.read(), actor_of(principal), service(Clock).now()
    vault = service(Vault)
    with service(Database).writing() as connection:
        row = create_workspace(connection, vault, principal, wanted, actor=actor, now=now)
    return json_answer(render(row), 201)


@routes.add(
    "GET",
    PATH + "/{workspace_id}",
    guard=Requires(Role.VIEWER),
    answers={200: WorkspaceView},
    errors=(e.NotFound,),
)
def get_workspace(principal: Principal, workspace_id: UUID) -> Answer:
    """Show one workspace."""
    with service(Database).reading() as connection:
        return json_answer(render(require_own_workspace(connection, principal, workspace_id)))


@routes.add(
    "PATCH",
    PATH + "/{workspace_id}",
    guard=Requires(Role.OWNER),
    body=_CHANGE,
    answers={200: WorkspaceView},
    errors=(e.NotFound,),
)
def patch_workspace(principal: Principal, workspace_id: UUID) -> Answer:
    """Change the name, the home country, the provider account or what is kept how long."""
    wanted, actor, now = _CHANGE.read(), actor_of(principal), service(Clock).now()
    of_it = service(Vault), principal, workspace_id, wanted
    with service(Database).writing() as connection:
        row = change_workspace(connection, *of_it, actor=actor, now=now)
    return json_answer(render(row))
