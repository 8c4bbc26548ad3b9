"""Pages of people."""

from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import ValidationError, fields, post_load

from app.access.audit import PrincipalChange
from app.access.guard import changing
from app.access.principal import Role
from app.console.account.sign_in import BY_LINK
from app.console.ui.forms import check_unchanged, listed, read_form, read_search, refilling
from app.console.ui.guards import OWNER, Pages
from app.console.ui.pages import NO_FORM, Form, page_answer, redirect_with_flash
from app.kernel.ids import parse_id
from app.settings import Settings
from app.users.current_user import CurrentUser
from app.users.manage import NewUser, change_roles, create_user, disable_user, reset_user
from app.users.sign_in_links import create_sign_in_link, mail_sign_in_link
from app.users.store import UserDetails, load_user_details, load_user_page, require_user
from app.web.fields import Id, StrictSchema, Text, one_of
from app.web.pages import PageQuery
from app.web.registry import get_service, reading

# The name of a select: `role_` and a workspace id, or this for the organization.
EVERYWHERE = "everywhere"
_FIELD = "role_"
_INCOMPLETE = "Select a workspace and a role, or neither."
routes = Pages()
PATH = "/console/people"
_NEW = PATH + "/new"
_ONE = PATH + "/{user_id}"


class RolesForm(StrictSchema):
    roles = fields.Dict(keys=Text(), values=Text(validate=one_of(Role)), load_default=dict)
    more_workspace = Id(load_default=None)
    more_role = Text(validate=one_of(Role), load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[UUID | None, Role]:
        return _roles(data)


class UserForm(RolesForm):
    email = Text(load_default="")
    name = Text(load_default="")
    sign_in = Text(validate=one_of(("link", "provider")), load_default="link")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {
            "email": data["email"],
            "name": data["name"].strip() or data["email"].strip(),
            "roles": _roles(data),
            "with_link": data["sign_in"] == "link",
        }


def roles_given() -> dict[str, object]:
    given = {
        name.removeprefix(_FIELD): text
        for name, text in request.form.items()
        if name.startswith(_FIELD) and text
    }
    return {"roles": given}


def _roles(data: dict[str, Any]) -> dict[UUID | None, Role]:
    roles = {_workspace_of(place): Role(role) for place, role in data["roles"].items()}
    more, role = data["more_workspace"], data["more_role"]
    if (more is None) != (role is None):
        raise ValidationError(_INCOMPLETE, "more_role" if role is None else "more_workspace")
    return roles if role is None else {**roles, more: Role(role)}


def _workspace_of(text: str) -> UUID | None:
    found = parse_id(text)
    if found is None and text != EVERYWHERE:
        raise ValidationError("There is no such workspace.", "roles")
    return found


@routes.get(PATH, OWNER)
def users_page(current_user: CurrentUser) -> Response:
    wanted = read_search(PageQuery)
    with reading() as connection:
        found = load_user_page(connection, current_user.organization_id, wanted)
    return page_answer("users/list.html", **listed(PATH, found, wanted.limit))


@routes.get(_NEW, OWNER)
def new_user_page(_: CurrentUser, status: int = 200, form: Form = NO_FORM) -> Response:
    return page_answer("users/new.html", status, form=form)


@routes.post(PATH, OWNER)
@refilling(new_user_page)
def create_user_from_form(current_user: CurrentUser) -> Response:
    given, organization_id = read_form(UserForm, **roles_given()), current_user.organization_id
    with_link = given.pop("with_link")
    new = NewUser(organization_id=organization_id, password=None, **given)
    with changing(current_user.principal) as change:
        user_id = create_user(change, new)
        url = create_link(change, user_id) if with_link else None
        person = load_user_details(change.connection, organization_id, user_id)
    return _link_page(person, url, is_new=True)


def create_link(change: PrincipalChange, user_id: UUID) -> str:
    """Create the only valid sign-in link of a person, and return its address."""
    user = require_user(change.connection, change.principal.organization_id, user_id)
    token = create_sign_in_link(change, user)
    return f"{get_service(Settings).public_url}{BY_LINK}?token={token}"


def _link_page(person: UserDetails, url: str | None, *, is_new: bool) -> Response:
    """Mail the link where an SMTP server is set; otherwise, or if that fails, show it this once."""
    settings, is_mailed, is_lost = get_service(Settings), False, False
    if url is not None and person.link_expires_at is not None and settings.mail is not None:
        is_mailed = mail_sign_in_link(
            settings.mail, settings.public_url, person.email, url, person.link_expires_at
        )
        is_lost = not is_mailed
    return page_answer(
        "users/link.html",
        person=person,
        url=None if is_mailed else url,
        is_mailed=is_mailed,
        is_lost=is_lost,
        is_new=is_new,
    )


@routes.get(_ONE, OWNER)
def user_page(
    current_user: CurrentUser, user_id: UUID, status: int = 200, form: Form = NO_FORM
) -> Response:
    with reading() as connection:
        person = load_user_details(connection, current_user.organization_id, user_id)
    return page_answer("users/one.html", status, person=person, form=form)


@routes.post(_ONE + "/roles", OWNER)
@refilling(user_page)
def save_roles(current_user: CurrentUser, user_id: UUID) -> Response:
    roles = read_form(RolesForm, **roles_given())
    with changing(current_user.principal) as change:
        user = require_user(change.connection, current_user.organization_id, user_id)
        stored = load_user_details(change.connection, current_user.organization_id, user_id)
        check_unchanged(stored.memberships)
        change_roles(change, user, roles)
    return redirect_with_flash(f"{PATH}/{user_id}", "Roles saved. In effect at the next request.")


@routes.post(_ONE + "/bar", OWNER)
@refilling(user_page)
def disable_user_from_page(current_user: CurrentUser, user_id: UUID) -> Response:
    with changing(current_user.principal) as change:
        user = require_user(change.connection, current_user.organization_id, user_id)
        disable_user(change, user)
    notice = f"{user.name} is disabled, and every session is signed out."
    return redirect_with_flash(f"{PATH}/{user_id}", notice)


@routes.post(_ONE + "/reset", OWNER)
@refilling(user_page)
def reset_user_from_page(current_user: CurrentUser, user_id: UUID) -> Response:
    url = None
    with changing(current_user.principal) as change:
        user = require_user(change.connection, current_user.organization_id, user_id)
        reset_user(change, user, None)
        if "link" in request.form:
            url = create_link(change, user_id)
        person = load_user_details(change.connection, current_user.organization_id, user_id)
    return _link_page(person, url, is_new=False)
