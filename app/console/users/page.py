"""Pages that list and create users."""

from flask import Response

from app.access.principal import Role, actor_of
from app.console.ui.forms import Form, read_form, read_search, refilled
from app.console.ui.guards import RequiresOrganizationRole
from app.console.ui.lists import listed
from app.console.ui.pages import page_answer
from app.console.users.forms import UserForm, roles_given
from app.console.workspaces.page import asking, workspace_names
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.users.current_user import CurrentUser
from app.users.directory import UserFilter, load_user_details, load_user_page
from app.users.manage import NewUser, create_user
from app.users.passwords import choose_password, generate_password
from app.web.pages import PageQuery
from app.web.registry import get_service
from app.web.routes import Answer, Routes

routes = Routes("Console", described=False)
PATH = "/console/people"
_NEW = PATH + "/new"
_OWNER = RequiresOrganizationRole(Role.OWNER)


@routes.add("GET", PATH, guard=_OWNER, answers={200: "text/html"})
def users_page(current_user: CurrentUser) -> Answer:
    """List the people of the organization, oldest first."""
    wanted, now = UserFilter(**read_search(PageQuery)), get_service(Clock).now()
    with get_service(Database).reading() as connection:
        found = load_user_page(connection, current_user.organization_id, wanted)
    return page_answer(
        current_user,
        "users/list.html",
        **listed(PATH, found, wanted.limit, lambda person: person.user_id),
        is_paused=lambda person: person.is_paused(now),
    )


@routes.add("GET", _NEW, guard=_OWNER, answers={200: "text/html"})
def new_user_page(current_user: CurrentUser) -> Answer:
    """Show the form of a new account."""
    return _form_page(current_user, 200, Form())


@routes.add("POST", PATH, guard=_OWNER, answers={200: "text/html", 422: "text/html"})
def create_user_from_form(current_user: CurrentUser) -> Answer:
    """Make an account; the answer shows its password, and no other page ever does."""
    asks, now = asking(current_user), get_service(Clock).now()
    try:
        given = read_form(UserForm, **roles_given())
        password = generate_password() if given.pop("has_password") else None
        chosen = None if password is None else choose_password(password, given["email"])
        new = NewUser(organization_id=asks.organization_id, password=chosen, **given)
        with get_service(Database).writing() as connection:
            user_id = create_user(connection, new, actor_of(asks), now)
            person = load_user_details(connection, asks.organization_id, user_id)
    except ValidationFailed as problem:
        return _form_page(current_user, 422, refilled(problem))
    return page_answer(
        current_user, "users/password.html", person=person, password=password, is_new=True
    )


def _form_page(current_user: CurrentUser, status: int, form: Form) -> Response:
    values = {"form": form, "names": workspace_names(current_user)}
    return page_answer(current_user, "users/new.html", status, **values)
