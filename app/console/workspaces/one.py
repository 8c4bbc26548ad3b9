"""The page of one workspace: settings and provider account; tokens are never shown."""

from typing import Any
from uuid import UUID

from flask import Response

from app.access.accounts import has_next_token
from app.access.principal import actor_of
from app.console.ui.forms import Form, read_form, refilled
from app.console.ui.guards import OWNER, Pages
from app.console.ui.options import named_country_options
from app.console.ui.pages import page_answer, redirect_with_flash
from app.console.workspaces.forms import account_given, beside_fields, plain_given
from app.console.workspaces.page import PATH, asking, workspace_names
from app.db.engine import Database
from app.kernel.errors import ValidationFailed
from app.tenancy.manage import ManageWorkspaces
from app.tenancy.read import require_own_workspace
from app.tenancy.schemas import WorkspaceChange
from app.users.current_user import CurrentUser
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
_ONE = PATH + "/{workspace_id}"


@routes.get(_ONE, OWNER)
def workspace_page(current_user: CurrentUser, workspace_id: UUID) -> Answer:
    """Show one workspace."""
    return _page(current_user, workspace_id)


@routes.post(_ONE, OWNER)
def save_workspace(current_user: CurrentUser, workspace_id: UUID) -> Answer:
    """Change the name, the home country and how long things are kept."""
    try:
        _change(current_user, workspace_id, read_form(WorkspaceChange, **plain_given()))
    except ValidationFailed as problem:
        return _page(current_user, workspace_id, 422, form=refilled(problem))
    return redirect_with_flash(f"{PATH}/{workspace_id}", "Workspace saved.")


@routes.post(_ONE + "/account", OWNER)
def save_account(current_user: CurrentUser, workspace_id: UUID) -> Answer:
    """Link a provider account, or change its tokens."""
    try:
        given = account_given() or {"twilio": {}}
        _change(current_user, workspace_id, read_form(WorkspaceChange, **given))
    except ValidationFailed as problem:
        wrong = refilled(beside_fields(problem))
        return _page(current_user, workspace_id, 422, account_form=wrong)
    return redirect_with_flash(f"{PATH}/{workspace_id}", "Twilio account saved.")


@routes.post(_ONE + "/account/unlink", OWNER)
def unlink_account(current_user: CurrentUser, workspace_id: UUID) -> Answer:
    """Leave a workspace without a provider account."""
    _change(current_user, workspace_id, {"twilio": None})
    return redirect_with_flash(f"{PATH}/{workspace_id}", "Twilio account unlinked.")


def _change(current_user: CurrentUser, workspace_id: UUID, wanted: dict[str, Any]) -> None:
    asks = asking(current_user)
    get_service(ManageWorkspaces).change(asks, workspace_id, wanted, actor_of(asks))


def _page(
    current_user: CurrentUser, workspace_id: UUID, status: int = 200, **forms: Form
) -> Response:
    shown: dict[str, Any] = {"form": Form(), "account_form": Form()} | forms
    with get_service(Database).reading() as connection:
        row = require_own_workspace(connection, asking(current_user), workspace_id)
        rotates = row.account_sid is not None and has_next_token(connection, row.account_sid)
    return page_answer(
        current_user,
        "workspaces/one.html",
        status,
        workspace=row,
        rotates=rotates,
        names=workspace_names(current_user),
        countries=named_country_options("Select a country"),
        **shown,
    )
