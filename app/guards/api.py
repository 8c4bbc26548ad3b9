"""Routes of guards."""

from typing import Any
from uuid import UUID

from app.access.actor import actor_of
from app.access.guard import Requires
from app.access.principal import Principal
from app.access.roles import Role
from app.access.scope import require_workspace
from app.db.engine import Database
from app.destinations.manage import Asked
from app.guards.configuration import auto_json, configuration_json
from app.guards.limits import GuardConfiguration
from app.guards.manage import GuardsView, ManageGuards
from app.guards.schemas import GuardsBody, GuardsDocument
from app.kernel import errors as e
from app.kernel.clock import rfc3339
from app.web.bodies import JsonBody
from app.web.conditions import CHANGE_HEADERS, change_reason, required_revisions
from app.web.routes import Answer, Routes, json_answer
from app.web.wiring import service

PATH = "/v1/workspaces/{workspace_id}/guards"
routes = Routes(
    "Guards",
    answer_headers={"ETag": "The revision of the guards, quoted; give it back in If-Match"},
)
_BODY: JsonBody[GuardConfiguration] = JsonBody(GuardsBody)


@routes.add(
    "GET", PATH, guard=Requires(Role.VIEWER), answers={200: GuardsDocument}, errors=(e.NotFound,)
)
def get_guards(principal: Principal, workspace_id: UUID) -> Answer:
    """Get the guards of a workspace."""
    _check_access(principal, workspace_id)
    return _answer(service(ManageGuards).load(workspace_id))


@routes.add(
    "PUT",
    PATH,
    guard=Requires(Role.ADMIN),
    body=_BODY,
    headers=CHANGE_HEADERS,
    answers={200: GuardsDocument},
    errors=(e.NotFound, e.RevisionMismatch, e.ValidationFailed),
)
def replace_guards(principal: Principal, workspace_id: UUID) -> Answer:
    """Replace the guards of a workspace; what is left out returns to its default."""
    wanted = _BODY.read()
    _check_access(principal, workspace_id)
    asked = Asked(actor_of(principal), change_reason(), required_revisions())
    return _answer(service(ManageGuards).change(workspace_id, lambda *_: wanted, asked))


def _check_access(principal: Principal, workspace_id: UUID) -> None:
    with service(Database).reading() as connection:
        require_workspace(connection, principal, workspace_id)


def _answer(view: GuardsView) -> Answer:
    return json_answer(describe(view), headers={"ETag": f'"{view.stored.revision}"'})


def describe(view: GuardsView) -> dict[str, Any]:
    """Write the guards of a workspace."""
    stored = view.stored
    return {
        "workspace_id": str(stored.workspace_id),
        "revision": stored.revision,
        "updated_at": rfc3339(stored.updated_at),
        **configuration_json(stored.configuration),
        "auto": auto_json(view.auto),
    }
