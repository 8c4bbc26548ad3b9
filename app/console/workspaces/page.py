"""Pages of workspaces: the list, a new one, and one workspace with its settings."""

from typing import Any
from uuid import UUID

from flask import Response, request

from app.access.accounts import has_next_token
from app.access.principal import Principal
from app.console.ui.forms import listed, named_country_options, read_form, read_search, refilled
from app.console.ui.guards import OWNER, Pages
from app.console.ui.pages import Form, page_answer, redirect_with_flash
from app.kernel.errors import Forbidden, ValidationFailed
from app.kernel.whole_numbers import read_whole_number
from app.tenancy.api import WorkspaceBody, WorkspaceChange, WorkspaceListQuery
from app.tenancy.manage import ManageWorkspaces
from app.tenancy.read import load_workspaces, require_own_workspace
from app.tenancy.workspaces import NewWorkspace
from app.users.current_user import CurrentUser
from app.web.registry import get_service, reading

_DAYS = ("body_retention_days", "number_retention_days")
_ACCOUNT = "$.twilio."


def given_fields() -> dict[str, object]:
    given: dict[str, object] = {}
    for name in ("name", "home_country"):
        if name in request.form:
            given[name] = request.form[name]
    for name in _DAYS:
        if name in request.form:
            text = request.form[name].strip()
            number = read_whole_number(text)
            given[name] = text if number is None else number
    return given


def given_account() -> dict[str, object]:
    names = ("account_sid", "auth_token", "next_auth_token")
    account: dict[str, Any] = {
        name: request.form[name].strip() for name in names if request.form.get(name, "").strip()
    }
    if request.form.get("forget_next"):
        account["next_auth_token"] = None
    return {"twilio": account} if account else {}


def with_field_paths(problem: ValidationFailed) -> ValidationFailed:
    details = problem.details or {}
    return ValidationFailed(
        {
            f"$.{path.removeprefix(_ACCOUNT)}" if path.startswith(_ACCOUNT) else path: texts
            for path, texts in details.items()
        }
    )


routes = Pages()
PATH = "/console/workspaces"
_NEW = PATH + "/new"
_OWN_POLICY = "own"


@routes.get(PATH, OWNER)
def workspaces_page(current_user: CurrentUser) -> Response:
    wanted = read_search(WorkspaceListQuery)
    with reading() as connection:
        found = load_workspaces(connection, require_organization_principal(current_user), wanted)
    return page_answer(
        current_user,
        "workspaces/list.html",
        **listed(PATH, found, wanted.limit),
        names=current_user.workspace_names,
    )


@routes.get(_NEW, OWNER)
def new_workspace_page(current_user: CurrentUser) -> Response:
    return _form_page(current_user, 200, Form())


@routes.post(PATH, OWNER)
def make_workspace(current_user: CurrentUser) -> Response:
    asks = require_organization_principal(current_user)
    try:
        wanted: NewWorkspace = read_form(WorkspaceBody, **_given())
        row = get_service(ManageWorkspaces).create(asks, wanted)
    except ValidationFailed as problem:
        return _form_page(current_user, 422, refilled(with_field_paths(problem)))
    return redirect_with_flash(
        f"{PATH}/{row.id}", f"{row.name} is created. Add use cases and an access key."
    )


def require_organization_principal(current_user: CurrentUser) -> Principal:
    wide = current_user.organization_principal
    if wide is None:
        raise Forbidden
    return wide


def _form_page(current_user: CurrentUser, status: int, form: Form) -> Response:
    names = current_user.workspace_names
    countries = named_country_options("Select a country")
    values = {"form": form, "names": names, "countries": countries}
    return page_answer(current_user, "workspaces/new.html", status, **values)


def _given() -> dict[str, object]:
    """Return the form fields whose names differ from the API's."""
    given = given_fields() | given_account()
    if request.form.get("destinations") == _OWN_POLICY:
        given["inherits"] = False
    return given


_ONE = PATH + "/{workspace_id}"


@routes.get(_ONE, OWNER)
def workspace_page(current_user: CurrentUser, workspace_id: UUID) -> Response:
    return _page(current_user, workspace_id)


@routes.post(_ONE, OWNER)
def save_workspace(current_user: CurrentUser, workspace_id: UUID) -> Response:
    try:
        _change(current_user, workspace_id, read_form(WorkspaceChange, **given_fields()))
    except ValidationFailed as problem:
        return _page(current_user, workspace_id, 422, form=refilled(problem))
    return redirect_with_flash(f"{PATH}/{workspace_id}", "Workspace saved.")


@routes.post(_ONE + "/account", OWNER)
def save_account(current_user: CurrentUser, workspace_id: UUID) -> Response:
    try:
        given = given_account() or {"twilio": {}}
        _change(current_user, workspace_id, read_form(WorkspaceChange, **given))
    except ValidationFailed as problem:
        wrong = refilled(with_field_paths(problem))
        return _page(current_user, workspace_id, 422, account_form=wrong)
    return redirect_with_flash(f"{PATH}/{workspace_id}", "Twilio account saved.")


@routes.post(_ONE + "/account/unlink", OWNER)
def unlink_account(current_user: CurrentUser, workspace_id: UUID) -> Response:
    _change(current_user, workspace_id, {"twilio": None})
    return redirect_with_flash(f"{PATH}/{workspace_id}", "Twilio account unlinked.")


def _change(current_user: CurrentUser, workspace_id: UUID, wanted: dict[str, Any]) -> None:
    asks = require_organization_principal(current_user)
    get_service(ManageWorkspaces).change(asks, workspace_id, wanted)


def _page(
    current_user: CurrentUser, workspace_id: UUID, status: int = 200, **forms: Form
) -> Response:
    shown: dict[str, Any] = {"form": Form(), "account_form": Form()} | forms
    with reading() as connection:
        row = require_own_workspace(
            connection, require_organization_principal(current_user), workspace_id
        )
        rotates = row.account_sid is not None and has_next_token(connection, row.account_sid)
    return page_answer(
        current_user,
        "workspaces/one.html",
        status,
        workspace=row,
        rotates=rotates,
        names=current_user.workspace_names,
        countries=named_country_options("Select a country"),
        **shown,
    )
