"""The page of one user: roles, disabling, reset."""

from uuid import UUID

from flask import Response, request

from app.access.principal import actor_of
from app.console.ui.forms import Form, read_form, refilled
from app.console.ui.guards import OWNER, Pages
from app.console.ui.pages import page_answer, redirect_with_flash
from app.console.users.forms import RolesForm, roles_given
from app.console.users.page import PATH, create_link
from app.console.workspaces.page import asking, workspace_names
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.users.current_user import CurrentUser
from app.users.directory import load_user_details, require_user
from app.users.manage import change_roles, disable_user, reset_user
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
_ONE = PATH + "/{user_id}"


@routes.get(_ONE, OWNER)
def user_page(current_user: CurrentUser, user_id: UUID) -> Answer:
    """Show one person."""
    return _page(current_user, user_id)


@routes.post(_ONE + "/roles", OWNER)
def save_roles(current_user: CurrentUser, user_id: UUID) -> Answer:
    """Change a user's workspaces and roles."""
    actor, now = actor_of(asking(current_user)), get_service(Clock).now()
    try:
        roles = read_form(RolesForm, **roles_given())
        with get_service(Database).writing() as connection:
            user = require_user(connection, current_user.organization_id, user_id)
            change_roles(connection, user, roles, actor, now)
    except ValidationFailed as problem:
        return _page(current_user, user_id, 422, refilled(problem))
    return redirect_with_flash(f"{PATH}/{user_id}", "Roles saved. In effect at the next request.")


@routes.post(_ONE + "/bar", OWNER)
def disable_user_from_page(current_user: CurrentUser, user_id: UUID) -> Answer:
    """Bar a person from the next request on."""
    actor, now = actor_of(asking(current_user)), get_service(Clock).now()
    try:
        with get_service(Database).writing() as connection:
            user = require_user(connection, current_user.organization_id, user_id)
            disable_user(connection, user, actor, now)
    except ValidationFailed as problem:
        return _page(current_user, user_id, 422, refilled(problem))
    return redirect_with_flash(
        f"{PATH}/{user_id}", f"{user.name} is disabled, and every session is signed out."
    )


@routes.post(_ONE + "/reset", OWNER)
def reset_user_from_page(current_user: CurrentUser, user_id: UUID) -> Answer:
    """Reset a person; the answer shows the link to choose a password, if one is wanted."""
    asks, now, url = asking(current_user), get_service(Clock).now(), None
    try:
        with get_service(Database).writing() as connection:
            user = require_user(connection, asks.organization_id, user_id)
            reset_user(connection, user, None, actor_of(asks), now)
            if "link" in request.form:
                url = create_link(connection, asks, user_id, now)
            person = load_user_details(connection, asks.organization_id, user_id)
    except ValidationFailed as problem:
        return _page(current_user, user_id, 422, refilled(problem))
    return page_answer(current_user, "users/link.html", person=person, url=url, is_new=False)


def _page(
    current_user: CurrentUser, user_id: UUID, status: int = 200, form: Form | None = None
) -> Response:
    with get_service(Database).reading() as connection:
        person = load_user_details(connection, current_user.organization_id, user_id)
    return page_answer(
        current_user,
        "users/one.html",
        status,
        person=person,
        form=form or Form(),
        names=workspace_names(current_user),
    )
