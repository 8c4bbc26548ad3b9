"""Pages of workspaces."""

from typing import Any
from uuid import UUID

from flask import Response, request

from app.access.accounts import has_next_token
from app.access.principal import Role
from app.access.store import require_workspace
from app.console.ui.forms import (
    check_unchanged,
    listed,
    named_country_options,
    number_in,
    read_form,
    read_search,
    refilling,
)
from app.console.ui.guards import OWNER, Pages
from app.console.ui.pages import NO_FORM, Form, page_answer, redirect_with_flash
from app.tenancy.api import WorkspaceBody, WorkspaceChange, WorkspaceListQuery
from app.tenancy.manage import ManageWorkspaces
from app.tenancy.workspaces import NewWorkspace, load_workspaces
from app.users.current_user import CurrentUser
from app.web.registry import get_service, reading

_DAYS = ("body_retention_days", "number_retention_days")
routes = Pages()
PATH = "/console/workspaces"
_NEW = PATH + "/new"
_ONE = PATH + "/{workspace_id}"


def given_fields() -> dict[str, object]:
    given: dict[str, object] = {}
    for name in ("name", "home_country"):
        if name in request.form:
            given[name] = request.form[name]
    for name in _DAYS:
        if name in request.form:
            given[name] = number_in(request.form[name].strip())
    return given


def given_account() -> dict[str, object]:
    names = ("account_sid", "auth_token", "next_auth_token")
    account: dict[str, Any] = {
        name: request.form[name].strip() for name in names if request.form.get(name, "").strip()
    }
    if request.form.get("forget_next"):
        account["next_auth_token"] = None
    return {"twilio": account} if account else {}


def in_one_form(path: str, text: str) -> tuple[str, str]:
    """Name the fields of the account as the form does."""
    return path.replace("$.twilio.", "$."), text


@routes.get(PATH, OWNER)
def workspaces_page(current_user: CurrentUser) -> Response:
    wanted = read_search(WorkspaceListQuery)
    with reading() as connection:
        found = load_workspaces(connection, current_user.principal_for(Role.OWNER), wanted)
    return page_answer("workspaces/list.html", **listed(PATH, found, wanted.limit))


@routes.get(_NEW, OWNER)
def new_workspace_page(_: CurrentUser, status: int = 200, form: Form = NO_FORM) -> Response:
    countries = named_country_options("Select a country")
    return page_answer("workspaces/new.html", status, form=form, countries=countries)


@routes.post(PATH, OWNER)
@refilling(new_workspace_page, renaming=in_one_form)
def make_workspace(current_user: CurrentUser) -> Response:
    asks, given = current_user.principal_for(Role.OWNER), given_fields() | given_account()
    if request.form.get("destinations") == "own":
        given["inherits"] = False
    wanted: NewWorkspace = read_form(WorkspaceBody, **given)
    row = get_service(ManageWorkspaces).create(asks, wanted)
    notice = f"{row.name} is created. Add use cases and an access key."
    return redirect_with_flash(f"{PATH}/{row.id}", notice)


@routes.get(_ONE, OWNER)
def workspace_page(
    current_user: CurrentUser,
    workspace_id: UUID,
    status: int = 200,
    form: Form = NO_FORM,
    account_form: Form = NO_FORM,
) -> Response:
    with reading() as connection:
        row = require_workspace(connection, current_user.principal_for(Role.OWNER), workspace_id)
        rotates = row.account_sid is not None and has_next_token(connection, row.account_sid)
    return page_answer(
        "workspaces/one.html",
        status,
        workspace=row,
        rotates=rotates,
        countries=named_country_options("Select a country"),
        form=form,
        account_form=account_form,
    )


@routes.post(_ONE, OWNER)
@refilling(workspace_page)
def save_workspace(current_user: CurrentUser, workspace_id: UUID) -> Response:
    wanted = read_form(WorkspaceChange, **given_fields())
    with reading() as connection:
        row = require_workspace(connection, current_user.principal_for(Role.OWNER), workspace_id)
    check_unchanged(*(getattr(row, name) for name in ("name", "home_country", *_DAYS)))
    return _change(current_user, workspace_id, wanted, "Workspace saved.")


@routes.post(_ONE + "/account", OWNER)
@refilling(workspace_page, "account_form", in_one_form)
def save_account(current_user: CurrentUser, workspace_id: UUID) -> Response:
    wanted = read_form(WorkspaceChange, **(given_account() or {"twilio": {}}))
    return _change(current_user, workspace_id, wanted, "Twilio account saved.")


@routes.post(_ONE + "/account/unlink", OWNER)
def unlink_account(current_user: CurrentUser, workspace_id: UUID) -> Response:
    return _change(current_user, workspace_id, {"twilio": None}, "Twilio account unlinked.")


def _change(
    current_user: CurrentUser, workspace_id: UUID, wanted: dict[str, Any], notice: str
) -> Response:
    asks = current_user.principal_for(Role.OWNER)
    get_service(ManageWorkspaces).change(asks, workspace_id, wanted)
    return redirect_with_flash(f"{PATH}/{workspace_id}", notice)
