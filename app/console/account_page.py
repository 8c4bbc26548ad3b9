"""The visitor's own account: password, second factor, sessions."""

from typing import Any

import segno
from flask import Response
from marshmallow import fields

from app.access.roles import Role
from app.console.forms import Form, read_form, refilled
from app.console.guard import Visits
from app.console.pages import go_to, page_answer
from app.db.engine import Database
from app.db.vault import Vault
from app.kernel.clock import Clock
from app.kernel.errors import Forbidden, ValidationFailed
from app.people.own_account import change_password, remove_second_factor, set_second_factor
from app.people.second_factor import mint_totp_secret, provisioning_uri
from app.people.sessions import end_sessions_of, load_sessions_of
from app.people.store import load_user
from app.people.visitor import Visitor
from app.web.fields import StrictSchema
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = "/console/account"
_FACTOR = PATH + "/second-factor"


class PasswordForm(StrictSchema):
    """The old password and the new one."""

    current_password = fields.String(load_default="")
    new_password = fields.String(load_default="")


class CodeForm(StrictSchema):
    """The secret that the app was given, and the code that it shows."""

    secret = fields.String(required=True)
    code = fields.String(load_default="")


class ConfirmForm(StrictSchema):
    """The password again, for a change that weakens the account."""

    password = fields.String(load_default="")


@routes.add("GET", PATH, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def account_page(visitor: Visitor) -> Answer:
    """Show the own account."""
    return _page(visitor)


@routes.add("POST", PATH + "/password", guard=Visits(Role.VIEWER), answers={303: None})
def save_password(visitor: Visitor) -> Answer:
    """Change the own password; the other sessions end."""
    _require_person(visitor)
    try:
        given = read_form(PasswordForm)
        with service(Database).writing() as connection:
            change_password(
                connection,
                visitor.visitor_id,
                current=given["current_password"],
                new=given["new_password"],
                session_id=visitor.session_id,
                actor=visitor.actor,
                now=service(Clock).now(),
            )
    except ValidationFailed as problem:
        return _page(visitor, 422, password_form=refilled(problem))
    return go_to(PATH, "The password is changed. Your other sessions have ended.")


@routes.add("POST", _FACTOR + "/start", guard=Visits(Role.VIEWER), answers={200: "text/html"})
def start_second_factor(visitor: Visitor) -> Answer:
    """Show a new secret for the authenticator app; nothing is stored yet."""
    _require_person(visitor)
    return _secret_page(visitor, mint_totp_secret(), Form(), 200)


@routes.add("POST", _FACTOR, guard=Visits(Role.VIEWER), answers={303: None})
def save_second_factor(visitor: Visitor) -> Answer:
    """Switch the second factor on, once the app shows the right code."""
    _require_person(visitor)
    given = read_form(CodeForm)
    try:
        with service(Database).writing() as connection:
            set_second_factor(
                connection,
                service(Vault),
                visitor.visitor_id,
                secret=given["secret"],
                code=given["code"],
                actor=visitor.actor,
                now=service(Clock).now(),
            )
    except ValidationFailed as problem:
        return _secret_page(visitor, given["secret"], refilled(problem), 422)
    return go_to(PATH, "The second factor is on: the next sign-in asks for a code.")


@routes.add("POST", _FACTOR + "/remove", guard=Visits(Role.VIEWER), answers={303: None})
def drop_second_factor(visitor: Visitor) -> Answer:
    """Switch the second factor off."""
    _require_person(visitor)
    try:
        given = read_form(ConfirmForm)
        with service(Database).writing() as connection:
            remove_second_factor(
                connection,
                visitor.visitor_id,
                password=given["password"],
                actor=visitor.actor,
                now=service(Clock).now(),
            )
    except ValidationFailed as problem:
        return _page(visitor, 422, factor_form=refilled(problem))
    return go_to(PATH, "The second factor is off.")


@routes.add("POST", PATH + "/sessions/end", guard=Visits(Role.VIEWER), answers={303: None})
def end_other_sessions(visitor: Visitor) -> Answer:
    """End the visitor's other sessions."""
    _require_person(visitor)
    now = service(Clock).now()
    with service(Database).writing() as connection:
        end_sessions_of(connection, visitor.visitor_id, now, but=visitor.session_id)
    return go_to(PATH, "Your other sessions have ended.")


def _require_person(visitor: Visitor) -> None:
    if not visitor.is_person:
        raise Forbidden("An access key has no account: sign in with e-mail and password.")


def _page(visitor: Visitor, status: int = 200, **forms: Form) -> Response:
    shown: dict[str, Any] = {"password_form": Form(), "factor_form": Form()} | forms
    user, sessions = None, []
    if visitor.is_person:
        with service(Database).reading() as connection:
            user = load_user(connection, visitor.visitor_id)
            sessions = load_sessions_of(connection, visitor.visitor_id, service(Clock).now())
    return page_answer(visitor, "account.html", status, user=user, sessions=sessions, **shown)


def _secret_page(visitor: Visitor, secret: str, form: Form, status: int) -> Response:
    with service(Database).reading() as connection:
        user = load_user(connection, visitor.visitor_id)
    email = "" if user is None else user.email
    picture = segno.make(provisioning_uri(secret, email), error="m")
    code = picture.svg_data_uri(scale=5, border=2, light="#fff")
    values = {"secret": secret, "picture": code, "form": form}
    return page_answer(visitor, "second_factor.html", status, **values)
