"""The page of one workspace: settings and provider account; tokens are never shown."""

from typing import Any
from uuid import UUID

from flask import Response

from app.access.accounts import has_next_token
from app.access.actor import actor_of
from app.access.roles import Role
from app.console.choices import country_choices
from app.console.forms import Form, read_form, refilled
from app.console.guard import VisitsOrganization
from app.console.pages import go_to, page_answer
from app.console.workspace_forms import account_given, beside_fields, plain_given
from app.console.workspaces_page import PATH, asking, place_names
from app.db.engine import Database
from app.kernel.errors import NotFound, ValidationFailed
from app.people.visitor import Visitor
from app.tenancy.manage import ManageWorkspaces
from app.tenancy.read import require_own_workspace
from app.tenancy.schemas import WorkspaceChange
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
_ONE = PATH + "/{workspace_id}"
_OWNER = VisitsOrganization(Role.OWNER)


@routes.add("GET", _ONE, guard=_OWNER, answers={200: "text/html"}, errors=(NotFound,))
def workspace_page(visitor: Visitor, workspace_id: UUID) -> Answer:
    """Show one workspace."""
    return _page(visitor, workspace_id)


@routes.add("POST", _ONE, guard=_OWNER, answers={303: None, 422: "text/html"}, errors=(NotFound,))
def save_workspace(visitor: Visitor, workspace_id: UUID) -> Answer:
    """Change the name, the home country and how long things are kept."""
    try:
        _change(visitor, workspace_id, read_form(WorkspaceChange, **plain_given()))
    except ValidationFailed as problem:
        return _page(visitor, workspace_id, 422, form=refilled(problem))
    return go_to(f"{PATH}/{workspace_id}", "Workspace saved.")


@routes.add(
    "POST",
    _ONE + "/account",
    guard=_OWNER,
    answers={303: None, 422: "text/html"},
    errors=(NotFound,),
)
def save_account(visitor: Visitor, workspace_id: UUID) -> Answer:
    """Link a provider account, or change its tokens."""
    try:
        given = account_given() or {"twilio": {}}
        _change(visitor, workspace_id, read_form(WorkspaceChange, **given))
    except ValidationFailed as problem:
        wrong = refilled(beside_fields(problem))
        return _page(visitor, workspace_id, 422, account_form=wrong)
    return go_to(f"{PATH}/{workspace_id}", "Twilio account saved.")


@routes.add("POST", _ONE + "/account/unlink", guard=_OWNER, answers={303: None}, errors=(NotFound,))
def unlink_account(visitor: Visitor, workspace_id: UUID) -> Answer:
    """Leave a workspace without a provider account."""
    _change(visitor, workspace_id, {"twilio": None})
    return go_to(f"{PATH}/{workspace_id}", "Twilio account unlinked.")


def _change(visitor: Visitor, workspace_id: UUID, wanted: dict[str, Any]) -> None:
    asks = asking(visitor)
    service(ManageWorkspaces).change(asks, workspace_id, wanted, actor_of(asks))


def _page(visitor: Visitor, workspace_id: UUID, status: int = 200, **forms: Form) -> Response:
    shown: dict[str, Any] = {"form": Form(), "account_form": Form()} | forms
    with service(Database).reading() as connection:
        row = require_own_workspace(connection, asking(visitor), workspace_id)
        rotates = row.account_sid is not None and has_next_token(connection, row.account_sid)
    return page_answer(
        visitor,
        "workspace.html",
        status,
        workspace=row,
        rotates=rotates,
        names=place_names(visitor),
        countries=country_choices("Select a country"),
        **shown,
    )
