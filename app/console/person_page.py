"""The page of one user: roles, disabling, reset."""

from uuid import UUID

from flask import Response

from app.access.actor import actor_of
from app.access.roles import Role
from app.console.forms import Form, read_form, refilled
from app.console.guard import VisitsOrganization
from app.console.pages import go_to, page_answer
from app.console.people_forms import RolesForm, roles_given
from app.console.people_page import PATH
from app.console.workspaces_page import asking, place_names
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import NotFound, ValidationFailed
from app.people.bar import disable_user, reset_user
from app.people.directory import load_person, require_user
from app.people.manage import change_roles
from app.people.passwords import choose_password, generate_password
from app.people.visitor import Visitor
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
_ONE = PATH + "/{user_id}"
_OWNER = VisitsOrganization(Role.OWNER)


@routes.add("GET", _ONE, guard=_OWNER, answers={200: "text/html"}, errors=(NotFound,))
def person_page(visitor: Visitor, user_id: UUID) -> Answer:
    """Show one person."""
    return _page(visitor, user_id)


@routes.add(
    "POST", _ONE + "/roles", guard=_OWNER, answers={303: None, 422: "text/html"}, errors=(NotFound,)
)
def save_roles(visitor: Visitor, user_id: UUID) -> Answer:
    """Change a user's workspaces and roles."""
    actor, now = actor_of(asking(visitor)), service(Clock).now()
    try:
        roles = read_form(RolesForm, **roles_given())
        with service(Database).writing() as connection:
            user = require_user(connection, visitor.organization_id, user_id)
            change_roles(connection, user, roles, actor, now)
    except ValidationFailed as problem:
        return _page(visitor, user_id, 422, refilled(problem))
    return go_to(f"{PATH}/{user_id}", "Roles saved. In effect at the next request.")


@routes.add(
    "POST", _ONE + "/bar", guard=_OWNER, answers={303: None, 422: "text/html"}, errors=(NotFound,)
)
def bar_person(visitor: Visitor, user_id: UUID) -> Answer:
    """Bar a person from the next request on."""
    actor, now = actor_of(asking(visitor)), service(Clock).now()
    try:
        with service(Database).writing() as connection:
            user = require_user(connection, visitor.organization_id, user_id)
            disable_user(connection, user, actor, now)
    except ValidationFailed as problem:
        return _page(visitor, user_id, 422, refilled(problem))
    return go_to(f"{PATH}/{user_id}", f"{user.name} is disabled, and every session is signed out.")


@routes.add(
    "POST",
    _ONE + "/reset",
    guard=_OWNER,
    answers={200: "text/html", 422: "text/html"},
    errors=(NotFound,),
)
def reset_person(visitor: Visitor, user_id: UUID) -> Answer:
    """Let a person begin afresh; the answer shows the new password, and no other page ever does."""
    actor, now = actor_of(asking(visitor)), service(Clock).now()
    try:
        with service(Database).reading() as connection:
            known = load_person(connection, visitor.organization_id, user_id)
        password = generate_password() if known.has_password else None
        chosen = None if password is None else choose_password(password, known.email)
        with service(Database).writing() as connection:
            user = require_user(connection, visitor.organization_id, user_id)
            reset_user(connection, user, chosen, actor, now)
            person = load_person(connection, visitor.organization_id, user_id)
    except ValidationFailed as problem:
        return _page(visitor, user_id, 422, refilled(problem))
    return page_answer(
        visitor, "person_password.html", person=person, password=password, is_new=False
    )


def _page(visitor: Visitor, user_id: UUID, status: int = 200, form: Form | None = None) -> Response:
    with service(Database).reading() as connection:
        person = load_person(connection, visitor.organization_id, user_id)
    return page_answer(
        visitor,
        "person.html",
        status,
        person=person,
        form=form or Form(),
        names=place_names(visitor),
        is_paused=person.is_paused(service(Clock).now()),
    )
