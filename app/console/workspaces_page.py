"""The page that lists and creates workspaces."""

from uuid import UUID

from flask import Response, request

from app.access.actor import actor_of
from app.access.principal import Principal
from app.access.roles import Role
from app.console.choices import country_choices
from app.console.forms import Form, read_form, read_search, refilled
from app.console.guard import VisitsOrganization
from app.console.lists import listed
from app.console.pages import go_to, page_answer
from app.console.workspace_forms import account_given, beside_fields, plain_given
from app.db.engine import Database
from app.kernel.errors import Forbidden, ValidationFailed
from app.people.visitor import Visitor
from app.tenancy.create import NewWorkspace
from app.tenancy.manage import ManageWorkspaces
from app.tenancy.read import load_workspaces
from app.tenancy.schemas import WorkspaceBody, WorkspaceListQuery
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = "/console/workspaces"
_NEW = PATH + "/new"
_OWNER = VisitsOrganization(Role.OWNER)
_OWN_POLICY = "own"


@routes.add("GET", PATH, guard=_OWNER, answers={200: "text/html"})
def workspaces_page(visitor: Visitor) -> Answer:
    """List the workspaces of the organization, oldest first."""
    wanted = read_search(WorkspaceListQuery)
    with service(Database).reading() as connection:
        found = load_workspaces(connection, asking(visitor), wanted)
    return page_answer(
        visitor,
        "workspaces.html",
        **listed(PATH, found, wanted.limit, lambda row: row.id),
        names=place_names(visitor),
    )


@routes.add("GET", _NEW, guard=_OWNER, answers={200: "text/html"})
def new_workspace_page(visitor: Visitor) -> Answer:
    """Show the form of a new workspace."""
    return _form_page(visitor, 200, Form())


@routes.add("POST", PATH, guard=_OWNER, answers={303: None, 422: "text/html"})
def make_workspace(visitor: Visitor) -> Answer:
    """Make a workspace."""
    asks = asking(visitor)
    try:
        wanted: NewWorkspace = read_form(WorkspaceBody, **_given())
        row = service(ManageWorkspaces).create(asks, wanted, actor_of(asks))
    except ValidationFailed as problem:
        return _form_page(visitor, 422, refilled(beside_fields(problem)))
    return go_to(f"{PATH}/{row.id}", f"{row.name} is created. Add use cases and an access key.")


def asking(visitor: Visitor) -> Principal:
    """Ask as this visitor in the whole organization."""
    wide = visitor.organization_principal
    if wide is None:
        raise Forbidden
    return wide


def place_names(visitor: Visitor) -> dict[UUID, str]:
    """Return the names of the workspaces that the visitor may look at."""
    return {place.workspace_id: place.name for place in visitor.places}


def _form_page(visitor: Visitor, status: int, form: Form) -> Response:
    names = place_names(visitor)
    countries = country_choices("Select a country")
    values = {"form": form, "names": names, "countries": countries}
    return page_answer(visitor, "workspace_new.html", status, **values)


def _given() -> dict[str, object]:
    """Return the form fields whose names differ from the API's."""
    given = plain_given() | account_given()
    if request.form.get("destinations") == _OWN_POLICY:
        given["inherits"] = False
    return given
