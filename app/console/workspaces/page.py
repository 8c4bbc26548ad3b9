"""The page that lists and creates workspaces."""

from uuid import UUID

from flask import Response, request

from app.access.principal import Principal, actor_of
from app.console.ui.forms import Form, read_form, read_search, refilled
from app.console.ui.guards import OWNER, Pages
from app.console.ui.lists import listed
from app.console.ui.options import named_country_options
from app.console.ui.pages import page_answer, redirect_with_flash
from app.console.workspaces.forms import account_given, beside_fields, plain_given
from app.db.engine import Database
from app.kernel.errors import Forbidden, ValidationFailed
from app.tenancy.create import NewWorkspace
from app.tenancy.manage import ManageWorkspaces
from app.tenancy.read import load_workspaces
from app.tenancy.schemas import WorkspaceBody, WorkspaceListQuery
from app.users.current_user import CurrentUser
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
PATH = "/console/workspaces"
_NEW = PATH + "/new"
_OWN_POLICY = "own"


@routes.get(PATH, OWNER)
def workspaces_page(current_user: CurrentUser) -> Answer:
    """List the workspaces of the organization, oldest first."""
    wanted = read_search(WorkspaceListQuery)
    with get_service(Database).reading() as connection:
        found = load_workspaces(connection, asking(current_user), wanted)
    return page_answer(
        current_user,
        "workspaces/list.html",
        **listed(PATH, found, wanted.limit),
        names=workspace_names(current_user),
    )


@routes.get(_NEW, OWNER)
def new_workspace_page(current_user: CurrentUser) -> Answer:
    """Show the form of a new workspace."""
    return _form_page(current_user, 200, Form())


@routes.post(PATH, OWNER)
def make_workspace(current_user: CurrentUser) -> Answer:
    """Make a workspace."""
    asks = asking(current_user)
    try:
        wanted: NewWorkspace = read_form(WorkspaceBody, **_given())
        row = get_service(ManageWorkspaces).create(asks, wanted, actor_of(asks))
    except ValidationFailed as problem:
        return _form_page(current_user, 422, refilled(beside_fields(problem)))
    return redirect_with_flash(
        f"{PATH}/{row.id}", f"{row.name} is created. Add use cases and an access key."
    )


def asking(current_user: CurrentUser) -> Principal:
    """Ask as this user in the whole organization."""
    wide = current_user.organization_principal
    if wide is None:
        raise Forbidden
    return wide


def workspace_names(current_user: CurrentUser) -> dict[UUID, str]:
    """Return the names of the workspaces that the user may look at."""
    return {place.workspace_id: place.name for place in current_user.workspaces}


def _form_page(current_user: CurrentUser, status: int, form: Form) -> Response:
    names = workspace_names(current_user)
    countries = named_country_options("Select a country")
    values = {"form": form, "names": names, "countries": countries}
    return page_answer(current_user, "workspaces/new.html", status, **values)


def _given() -> dict[str, object]:
    """Return the form fields whose names differ from the API's."""
    given = plain_given() | account_given()
    if request.form.get("destinations") == _OWN_POLICY:
        given["inherits"] = False
    return given
