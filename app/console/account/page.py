"""The user's own account: password, second factor, recovery codes, sessions."""

from typing import Any

from flask import Response

from app.console.account.sign_in import current_caller
from app.console.ui.forms import read_form, refilled
from app.console.ui.guards import VIEWER, Pages
from app.console.ui.pages import Form, page_answer, redirect_with_flash
from app.kernel.errors import Forbidden, RateLimited, ValidationFailed
from app.users.current_user import CurrentUser
from app.users.own_account import OwnAccount, Reauthentication
from app.users.second_factor import count_recovery_codes, provisioning_uri
from app.users.sessions import end_sessions_of, load_sessions_of
from app.users.store import load_user
from app.web.errors import HTTP_STATUS, add_retry_headers
from app.web.fields import StrictSchema, Text
from app.web.registry import current_time, get_service, reading, writing

routes = Pages()
PATH = "/console/account"
_FACTOR = PATH + "/second-factor"
_RECOVERY = PATH + "/recovery-codes"


class PasswordForm(StrictSchema):
    current_password = Text(load_default="")
    new_password = Text(load_default="")


class SecondFactorForm(StrictSchema):
    code = Text(load_default="")


class ConfirmForm(StrictSchema):
    password = Text(load_default="")
    code = Text(load_default="")


@routes.get(PATH, VIEWER)
def account_page(current_user: CurrentUser) -> Response:
    return _page(current_user)


@routes.post(PATH + "/password", VIEWER)
def save_password(current_user: CurrentUser) -> Response:
    """This ends the user's other sessions."""
    _require_person(current_user)
    try:
        given = read_form(PasswordForm)
        me = _proof(current_user, given["current_password"])
        get_service(OwnAccount).change_password(me, given["new_password"])
    except (ValidationFailed, RateLimited) as problem:
        return _refused(current_user, "password_form", problem)
    return redirect_with_flash(PATH, "Password changed. Your other sessions are signed out.")


@routes.post(_FACTOR + "/start", VIEWER)
def start_second_factor(current_user: CurrentUser) -> Response:
    """Show a new secret; it is used once a code of it was entered."""
    _require_person(current_user)
    try:
        given = read_form(ConfirmForm)
        secret = get_service(OwnAccount).start_second_factor(_proof(current_user, **given))
    except (ValidationFailed, RateLimited) as problem:
        return _refused(current_user, "factor_form", problem)
    return _secret_page(current_user, secret, Form(), 200)


@routes.post(_FACTOR, VIEWER)
def save_second_factor(current_user: CurrentUser) -> Response:
    _require_person(current_user)
    try:
        given = read_form(SecondFactorForm)
        codes = get_service(OwnAccount).set_second_factor(_proof(current_user, "", given["code"]))
    except ValidationFailed as problem:
        secret = get_service(OwnAccount).pending_secret(current_user.session_id)
        if secret is None:
            return _refused(current_user, "factor_form", problem)
        return _secret_page(current_user, secret, refilled(problem), 422)
    return page_answer(current_user, "account/recovery_codes.html", codes=codes, is_new=True)


@routes.post(_FACTOR + "/remove", VIEWER)
def drop_second_factor(current_user: CurrentUser) -> Response:
    _require_person(current_user)
    try:
        get_service(OwnAccount).remove_second_factor(_proof(current_user, **read_form(ConfirmForm)))
    except (ValidationFailed, RateLimited) as problem:
        return _refused(current_user, "remove_form", problem)
    return redirect_with_flash(PATH, "Second factor turned off.")


@routes.post(_RECOVERY, VIEWER)
def make_recovery_codes(current_user: CurrentUser) -> Response:
    _require_person(current_user)
    try:
        given = read_form(ConfirmForm)
        codes = get_service(OwnAccount).make_recovery_codes(_proof(current_user, **given))
    except (ValidationFailed, RateLimited) as problem:
        return _refused(current_user, "recovery_form", problem)
    return page_answer(current_user, "account/recovery_codes.html", codes=codes, is_new=False)


@routes.post(PATH + "/sessions/end", VIEWER)
def end_other_sessions(current_user: CurrentUser) -> Response:
    _require_person(current_user)
    with writing() as (connection, now):
        end_sessions_of(connection, current_user.principal_id, now, but=current_user.session_id)
    return redirect_with_flash(PATH, "Your other sessions are signed out.")


def _require_person(current_user: CurrentUser) -> None:
    if not current_user.is_person:
        raise Forbidden("An access key has no account. Sign in with e-mail and password.")


def _proof(current_user: CurrentUser, password: str, code: str = "") -> Reauthentication:
    return Reauthentication(
        user_id=current_user.principal_id,
        session_id=current_user.session_id,
        actor=current_user.actor,
        caller=current_caller(),
        password=password,
        code=code,
    )


def _refused(
    current_user: CurrentUser, form: str, problem: ValidationFailed | RateLimited
) -> Response:
    if isinstance(problem, ValidationFailed):
        return _page(current_user, 422, **{form: Form({}, refilled(problem).errors)})
    answer = _page(current_user, HTTP_STATUS[RateLimited], **{form: Form({}, {"": [problem.text]})})
    add_retry_headers(answer, problem)
    return answer


def _page(current_user: CurrentUser, status: int = 200, **forms: Form) -> Response:
    names = ("password_form", "factor_form", "remove_form", "recovery_form")
    shown: dict[str, Any] = dict.fromkeys(names, Form()) | forms
    user, sessions, codes_left = None, [], 0
    if current_user.is_person:
        with reading() as connection:
            user = load_user(connection, current_user.principal_id)
            sessions = load_sessions_of(connection, current_user.principal_id, current_time())
            if user is not None and user.totp_secret is not None:
                codes_left = count_recovery_codes(connection, user.id)
    return page_answer(
        current_user,
        "account/page.html",
        status,
        user=user,
        sessions=sessions,
        codes_left=codes_left,
        **shown,
    )


def _secret_page(current_user: CurrentUser, secret: str, form: Form, status: int) -> Response:
    # Imported here, because it takes a hundredth of a process's memory for one page.
    import segno  # noqa: PLC0415

    with reading() as connection:
        user = load_user(connection, current_user.principal_id)
    email = "" if user is None else user.email
    picture = segno.make(provisioning_uri(secret, email), error="m")
    code = picture.svg_data_uri(scale=5, border=2, light="#fff")
    values = {"secret": secret, "picture": code, "form": Form({}, form.errors)}
    return page_answer(current_user, "account/second_factor.html", status, **values)
