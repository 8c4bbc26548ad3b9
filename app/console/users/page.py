"""Pages that list and create users."""

from datetime import datetime
from uuid import UUID

from flask import Response
from sqlalchemy import Connection

from app.access.principal import Principal, actor_of
from app.console.account.sign_in import BY_LINK
from app.console.ui.forms import Form, read_form, read_search, refilled
from app.console.ui.guards import OWNER, Pages
from app.console.ui.lists import listed
from app.console.ui.pages import page_answer
from app.console.users.forms import UserForm, roles_given
from app.console.workspaces.page import asking, workspace_names
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.settings import Settings
from app.users.current_user import CurrentUser
from app.users.directory import UserFilter, load_user_details, load_user_page, require_user
from app.users.manage import NewUser, create_user
from app.users.sign_in_links import create_sign_in_link
from app.web.pages import PageQuery
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
PATH = "/console/people"
_NEW = PATH + "/new"


@routes.get(PATH, OWNER)
def users_page(current_user: CurrentUser) -> Answer:
    """List the people of the organization, oldest first."""
    wanted = UserFilter(**read_search(PageQuery))
    with get_service(Database).reading() as connection:
        found = load_user_page(connection, current_user.organization_id, wanted)
    return page_answer(
        current_user,
        "users/list.html",
        **listed(PATH, found, wanted.limit, lambda person: person.user_id),
    )


@routes.get(_NEW, OWNER)
def new_user_page(current_user: CurrentUser) -> Answer:
    """Show the form of a new account."""
    return _form_page(current_user, 200, Form())


@routes.post(PATH, OWNER)
def create_user_from_form(current_user: CurrentUser) -> Answer:
    """Add a person; the answer shows the link to choose a password, and no other page ever does."""
    asks, now = asking(current_user), get_service(Clock).now()
    try:
        given = read_form(UserForm, **roles_given())
        with_link = given.pop("with_link")
        new = NewUser(organization_id=asks.organization_id, password=None, **given)
        with get_service(Database).writing() as connection:
            user_id = create_user(connection, new, actor_of(asks), now)
            url = create_link(connection, asks, user_id, now) if with_link else None
            person = load_user_details(connection, asks.organization_id, user_id)
    except ValidationFailed as problem:
        return _form_page(current_user, 422, refilled(problem))
    return page_answer(current_user, "users/link.html", person=person, url=url, is_new=True)


def create_link(connection: Connection, asks: Principal, user_id: UUID, now: datetime) -> str:
    """Create the only valid sign-in link of a person, and return its address."""
    user = require_user(connection, asks.organization_id, user_id)
    token = create_sign_in_link(connection, user, actor_of(asks), now).token
    return f"{get_service(Settings).public_url}{BY_LINK}?token={token}"


def _form_page(current_user: CurrentUser, status: int, form: Form) -> Response:
    values = {"form": form, "names": workspace_names(current_user)}
    return page_answer(current_user, "users/new.html", status, **values)
