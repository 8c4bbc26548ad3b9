"""Pages that list and create users."""

from flask import Response

from app.access.actor import actor_of
from app.access.roles import Role
from app.console.forms import Form, read_form, read_search, refilled
from app.console.guard import VisitsOrganization
from app.console.lists import listed
from app.console.pages import page_answer
from app.console.people_forms import PersonForm, roles_given
from app.console.workspaces_page import asking, place_names
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.people.directory import PeopleFilter, load_people, load_person
from app.people.manage import NewUser, create_user
from app.people.passwords import choose_password, generate_password
from app.people.visitor import Visitor
from app.web.pages import PageQuery
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = "/console/people"
_NEW = PATH + "/new"
_OWNER = VisitsOrganization(Role.OWNER)


@routes.add("GET", PATH, guard=_OWNER, answers={200: "text/html"})
def people_page(visitor: Visitor) -> Answer:
    """List the people of the organization, oldest first."""
    wanted, now = PeopleFilter(**read_search(PageQuery)), service(Clock).now()
    with service(Database).reading() as connection:
        found = load_people(connection, visitor.organization_id, wanted)
    return page_answer(
        visitor,
        "people.html",
        **listed(PATH, found, wanted.limit, lambda person: person.user_id),
        is_paused=lambda person: person.is_paused(now),
    )


@routes.add("GET", _NEW, guard=_OWNER, answers={200: "text/html"})
def new_person_page(visitor: Visitor) -> Answer:
    """Show the form of a new account."""
    return _form_page(visitor, 200, Form())


@routes.add("POST", PATH, guard=_OWNER, answers={200: "text/html", 422: "text/html"})
def make_person(visitor: Visitor) -> Answer:
    """Make an account; the answer shows its password, and no other page ever does."""
    asks, now = asking(visitor), service(Clock).now()
    try:
        given = read_form(PersonForm, **roles_given())
        password = generate_password() if given.pop("has_password") else None
        chosen = None if password is None else choose_password(password, given["email"])
        new = NewUser(organization_id=asks.organization_id, password=chosen, **given)
        with service(Database).writing() as connection:
            user_id = create_user(connection, new, actor_of(asks), now)
            person = load_person(connection, asks.organization_id, user_id)
    except ValidationFailed as problem:
        return _form_page(visitor, 422, refilled(problem))
    return page_answer(
        visitor, "person_password.html", person=person, password=password, is_new=True
    )


def _form_page(visitor: Visitor, status: int, form: Form) -> Response:
    values = {"form": form, "names": place_names(visitor)}
    return page_answer(visitor, "person_new.html", status, **values)
