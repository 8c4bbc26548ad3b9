"""The visitor's own account: password, second factor, recovery codes, sessions."""

from typing import Any

import segno
from flask import Response

from app.access.roles import Role
from app.console.callers import current_caller
from app.console.forms import Form, read_form, refilled
from app.console.guard import Visits
from app.console.pages import go_to, page_answer
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import Forbidden, RateLimited, ValidationFailed
from app.people.factor_store import count_recovery_codes
from app.people.own_account import OwnAccount, Reauthentication
from app.people.second_factor import provisioning_uri
from app.people.sessions import end_sessions_of, load_sessions_of
from app.people.store import load_user
from app.people.visitor import Visitor
from app.web.errors import HTTP_STATUS
from app.web.fields import StrictSchema, Text
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = "/console/account"
_FACTOR = PATH + "/second-factor"
_RECOVERY = PATH + "/recovery-codes"
_PAGES = dict.fromkeys((422, 429), "text/html")


class PasswordForm(StrictSchema):
    """The old password and the new one."""

    current_password = Text(load_default="")
    new_password = Text(load_default="")


class CodeForm(StrictSchema):
    """The code that the app shows."""

    code = Text(load_default="")


class ConfirmForm(StrictSchema):
    """The password again, and a code where a second factor is on."""

    password = Text(load_default="")
    code = Text(load_default="")


@routes.add("GET", PATH, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def account_page(visitor: Visitor) -> Answer:
    """Show the own account."""
    return _page(visitor)


@routes.add("POST", PATH + "/password", guard=Visits(Role.VIEWER), answers={303: None, **_PAGES})
def save_password(visitor: Visitor) -> Answer:
    """Change the own password; the other sessions end."""
    _require_person(visitor)
    try:
        given = read_form(PasswordForm)
        me = _proof(visitor, given["current_password"])
        service(OwnAccount).change_password(me, given["new_password"])
    except (ValidationFailed, RateLimited) as problem:
        return _refused(visitor, "password_form", problem)
    return go_to(PATH, "Password changed. Your other sessions are signed out.")


@routes.add(
    "POST", _FACTOR + "/start", guard=Visits(Role.VIEWER), answers={200: "text/html", **_PAGES}
)
def start_second_factor(visitor: Visitor) -> Answer:
    """Show a new secret for the authenticator app; it counts once a code of it was typed."""
    _require_person(visitor)
    try:
        given = read_form(ConfirmForm)
        secret = service(OwnAccount).start_second_factor(_proof(visitor, **given))
    except (ValidationFailed, RateLimited) as problem:
        return _refused(visitor, "factor_form", problem)
    return _secret_page(visitor, secret, Form(), 200)


@routes.add("POST", _FACTOR, guard=Visits(Role.VIEWER), answers={200: "text/html", **_PAGES})
def save_second_factor(visitor: Visitor) -> Answer:
    """Switch the second factor on by a code of it, and show the recovery codes this once."""
    _require_person(visitor)
    try:
        given = read_form(CodeForm)
        codes = service(OwnAccount).set_second_factor(_proof(visitor, "", given["code"]))
    except ValidationFailed as problem:
        secret = service(OwnAccount).pending_secret(visitor.session_id)
        if secret is None:
            return _refused(visitor, "factor_form", problem)
        return _secret_page(visitor, secret, refilled(problem), 422)
    return page_answer(visitor, "recovery_codes.html", codes=codes, is_new=True)


@routes.add("POST", _FACTOR + "/remove", guard=Visits(Role.VIEWER), answers={303: None, **_PAGES})
def drop_second_factor(visitor: Visitor) -> Answer:
    """Switch the second factor off."""
    _require_person(visitor)
    try:
        service(OwnAccount).remove_second_factor(_proof(visitor, **read_form(ConfirmForm)))
    except (ValidationFailed, RateLimited) as problem:
        return _refused(visitor, "remove_form", problem)
    return go_to(PATH, "Second factor turned off.")


@routes.add("POST", _RECOVERY, guard=Visits(Role.VIEWER), answers={200: "text/html", **_PAGES})
def make_recovery_codes(visitor: Visitor) -> Answer:
    """Make new recovery codes, and show them this once; the old ones are void."""
    _require_person(visitor)
    try:
        given = read_form(ConfirmForm)
        codes = service(OwnAccount).make_recovery_codes(_proof(visitor, **given))
    except (ValidationFailed, RateLimited) as problem:
        return _refused(visitor, "recovery_form", problem)
    return page_answer(visitor, "recovery_codes.html", codes=codes, is_new=False)


@routes.add("POST", PATH + "/sessions/end", guard=Visits(Role.VIEWER), answers={303: None})
def end_other_sessions(visitor: Visitor) -> Answer:
    """End the visitor's other sessions."""
    _require_person(visitor)
    now = service(Clock).now()
    with service(Database).writing() as connection:
        end_sessions_of(connection, visitor.visitor_id, now, but=visitor.session_id)
    return go_to(PATH, "Your other sessions are signed out.")


def _require_person(visitor: Visitor) -> None:
    if not visitor.is_person:
        raise Forbidden("An access key has no account. Sign in with e-mail and password.")


def _proof(visitor: Visitor, password: str, code: str = "") -> Reauthentication:
    return Reauthentication(
        user_id=visitor.visitor_id,
        session_id=visitor.session_id,
        actor=visitor.actor,
        caller=current_caller(),
        password=password,
        code=code,
    )


def _refused(visitor: Visitor, form: str, problem: ValidationFailed | RateLimited) -> Response:
    """Show the account again with what was wrong with one of its forms."""
    if isinstance(problem, ValidationFailed):
        return _page(visitor, 422, **{form: Form({}, refilled(problem).errors)})
    answer = _page(visitor, HTTP_STATUS[RateLimited], **{form: Form({}, {"": [problem.text]})})
    answer.headers["Retry-After"] = str(problem.retry_after_seconds)
    return answer


def _page(visitor: Visitor, status: int = 200, **forms: Form) -> Response:
    names = ("password_form", "factor_form", "remove_form", "recovery_form")
    shown: dict[str, Any] = dict.fromkeys(names, Form()) | forms
    user, sessions, codes_left = None, [], 0
    if visitor.is_person:
        with service(Database).reading() as connection:
            user = load_user(connection, visitor.visitor_id)
            sessions = load_sessions_of(connection, visitor.visitor_id, service(Clock).now())
            if user is not None and user.totp_secret is not None:
                codes_left = count_recovery_codes(connection, user.id)
    return page_answer(
        visitor,
        "account.html",
        status,
        user=user,
        sessions=sessions,
        codes_left=codes_left,
        **shown,
    )


def _secret_page(visitor: Visitor, secret: str, form: Form, status: int) -> Response:
    with service(Database).reading() as connection:
        user = load_user(connection, visitor.visitor_id)
    email = "" if user is None else user.email
    picture = segno.make(provisioning_uri(secret, email), error="m")
    code = picture.svg_data_uri(scale=5, border=2, light="#fff")
    values = {"secret": secret, "picture": code, "form": Form({}, form.errors)}
    return page_answer(visitor, "second_factor.html", status, **values)
