"""The user's own account: password, second factor, recovery codes, sessions."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from app.console.account.sign_in import current_caller, emptying
from app.console.ui.forms import read_secret, refilled
from app.console.ui.guards import VIEWER, Pages
from app.console.ui.pages import NO_FORM, Form, page_answer, redirect_with_flash
from app.kernel.errors import Forbidden, ValidationFailed
from app.users.current_user import CurrentUser
from app.users.own_account import OwnAccount, Reauthentication
from app.users.second_factor import count_recovery_codes, provisioning_uri
from app.users.sessions import end_sessions_of, load_sessions_of
from app.users.store import load_user
from app.web.registry import current_time, get_service, reading, writing

routes = Pages()
PATH = "/console/account"
_FACTOR = PATH + "/second-factor"
_RECOVERY = PATH + "/recovery-codes"


@routes.get(PATH, VIEWER)
def account_page(current_user: CurrentUser, status: int = 200, **forms: Form) -> Response:
    names = ("password_form", "factor_form", "remove_form", "recovery_form")
    shown: dict[str, Any] = dict.fromkeys(names, NO_FORM) | forms
    user, sessions, codes_left = None, [], 0
    if current_user.is_person:
        with reading() as connection:
            user = load_user(connection, current_user.principal_id)
            sessions = load_sessions_of(connection, current_user.principal_id, current_time())
            if user is not None and user.totp_secret is not None:
                codes_left = count_recovery_codes(connection, user.id)
    return page_answer(
        "account/page.html", status, user=user, sessions=sessions, codes_left=codes_left, **shown
    )


@routes.post(PATH + "/password", VIEWER)
@emptying(account_page, "password_form")
def save_password(current_user: CurrentUser) -> Response:
    """This ends the user's other sessions."""
    me = _proof(current_user, "current_password")
    get_service(OwnAccount).change_password(me, read_secret("new_password"))
    return redirect_with_flash(PATH, "Password changed. Your other sessions are signed out.")


@routes.post(_FACTOR + "/start", VIEWER)
@emptying(account_page, "factor_form")
def start_second_factor(current_user: CurrentUser) -> Response:
    """Show a new secret; it is used once a code of it was entered."""
    secret = get_service(OwnAccount).start_second_factor(_proof(current_user))
    return _secret_page(current_user, secret)


@routes.post(_FACTOR, VIEWER)
@emptying(account_page, "factor_form")
def save_second_factor(current_user: CurrentUser) -> Response:
    own = get_service(OwnAccount)
    try:
        codes = own.set_second_factor(_proof(current_user))
    except ValidationFailed as problem:
        secret = own.pending_secret(current_user.session_id)
        if secret is None:
            raise
        return _secret_page(current_user, secret, refilled(problem).errors)
    return page_answer("account/recovery_codes.html", codes=codes, is_new=True)


@routes.post(_FACTOR + "/remove", VIEWER)
@emptying(account_page, "remove_form")
def drop_second_factor(current_user: CurrentUser) -> Response:
    get_service(OwnAccount).remove_second_factor(_proof(current_user))
    return redirect_with_flash(PATH, "Second factor turned off.")


@routes.post(_RECOVERY, VIEWER)
@emptying(account_page, "recovery_form")
def make_recovery_codes(current_user: CurrentUser) -> Response:
    codes = get_service(OwnAccount).make_recovery_codes(_proof(current_user))
    return page_answer("account/recovery_codes.html", codes=codes, is_new=False)


@routes.post(PATH + "/sessions/end", VIEWER)
def end_other_sessions(current_user: CurrentUser) -> Response:
    _require_person(current_user)
    with writing() as (connection, now):
        end_sessions_of(connection, current_user.principal_id, now, but=current_user.session_id)
    return redirect_with_flash(PATH, "Your other sessions are signed out.")


def _require_person(current_user: CurrentUser) -> None:
    if not current_user.is_person:
        raise Forbidden("An access key has no account. Sign in with e-mail and password.")


def _proof(current_user: CurrentUser, field: str = "password") -> Reauthentication:
    _require_person(current_user)
    return Reauthentication(
        user_id=current_user.principal_id,
        session_id=current_user.session_id,
        actor=current_user.actor,
        caller=current_caller(),
        password=read_secret(field),
        code=read_secret("code"),
    )


def _secret_page(
    current_user: CurrentUser, secret: str, errors: Mapping[str, list[str]] | None = None
) -> Response:
    # Imported here, because it takes a hundredth of a process's memory for one page.
    import segno  # noqa: PLC0415

    with reading() as connection:
        user = load_user(connection, current_user.principal_id)
    email = "" if user is None else user.email
    picture = segno.make(provisioning_uri(secret, email), error="m")
    return page_answer(
        "account/second_factor.html",
        422 if errors else 200,
        secret=secret,
        picture=picture.svg_data_uri(scale=5, border=2, light="#fff"),
        form=Form({}, errors or {}),
    )
