"""Pages for sign-in, sign-out and switching the workspace; the caller of a sign-in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from flask import Response, request, session

from app.access.store import require_workspace
from app.console.ui.forms import read_form, refilled
from app.console.ui.guards import (
    ANYONE,
    SIGN_IN,
    VIEWER,
    Pages,
    drop_token,
    keep,
    keep_token,
    presented,
    presented_token,
)
from app.console.ui.pages import Form, plain_page, redirect_with_flash, wanted_page
from app.kernel.errors import NotFound, RateLimited, ValidationFailed
from app.kernel.ids import parse_id
from app.users.caller import KNOWN_FOR, Caller, KnownBrowserCookie, device_of
from app.users.current_user import CurrentUser
from app.users.sessions import hash_session_token, move_session
from app.users.sign_in import SeveralAccounts, SignedIn, SignIn, SignInRefused, sign_out_of
from app.users.sign_in_links import LinkExpired, UseSignInLink
from app.users.store import load_organization_names
from app.web.errors import HTTP_STATUS, add_retry_headers
from app.web.fields import Id, StrictSchema, Text
from app.web.peer import address_group, peer_address
from app.web.registry import get_service, reading, writing
from app.web.requests import current_request_id

_BROWSER = "borderpost_browser"


def current_caller() -> Caller:
    address = peer_address()
    return Caller(
        address=address,
        group=address_group(address),
        request_id=current_request_id(),
        browser=get_service(KnownBrowserCookie).read(presented(_BROWSER)),
        session_token=presented_token(),
        device=device_of(request.headers.get("User-Agent", "")),
    )


def keep_browser(answer: Response, signed_in: SignedIn) -> None:
    if signed_in.browser is not None:
        keep(answer, _BROWSER, signed_in.browser, KNOWN_FOR.total_seconds())


routes = Pages()
HOME = "/console"
_BY_CODE = SIGN_IN + "/code"
BY_LINK = SIGN_IN + "/link"
_REFUSED = (
    "E-mail or password is wrong. After several wrong attempts you have to wait before trying "
    "again."
)


class SignInForm(StrictSchema):
    email = Text(load_default="")
    password = Text(load_default="")
    access_key = Text(load_default="")
    organization_id = Id(load_default=None)


class CodeForm(StrictSchema):
    code = Text(load_default="")


class SetPasswordForm(StrictSchema):
    """The token of a link, and the password that its person chooses."""

    token = Text(load_default="")
    password = Text(load_default="")


@dataclass(frozen=True, slots=True)
class OffersProvider:
    is_offered: bool


@routes.get(SIGN_IN, ANYONE)
def sign_in_page(_: None) -> Response:
    return _page("account/sign_in.html")


@routes.post(SIGN_IN, ANYONE)
def sign_in(_: None) -> Response:
    operation, caller = get_service(SignIn), current_caller()
    try:
        given = read_form(SignInForm)
        if given["access_key"]:
            signed_in = operation.by_key(given["access_key"].strip(), caller)
        else:
            signed_in = operation.by_password(
                given["email"], given["password"], caller, given["organization_id"]
            )
    except SignInRefused:
        return _page("account/sign_in.html", 403, form=_again(_REFUSED))
    except RateLimited as limited:
        return _limited("account/sign_in.html", limited, _again(limited.text))
    except SeveralAccounts as several:
        form = _again("Select the organization and enter the password again.")
        return _page("account/sign_in.html", 422, form=form, organizations=_named(several))
    except ValidationFailed as problem:
        return _page("account/sign_in.html", 422, form=refilled(problem))
    return finish_sign_in(signed_in)


@routes.get(_BY_CODE, ANYONE)
def second_factor_page(_: None) -> Response:
    return _page("account/sign_in_code.html")


@routes.post(_BY_CODE, ANYONE)
def sign_in_by_code(_: None) -> Response:
    try:
        given = read_form(CodeForm)
        signed_in = get_service(SignIn).by_code(given["code"], current_caller())
    except SignInRefused:
        return _page("account/sign_in_code.html", 403, form=Form({}, {"code": [_REFUSED]}))
    except RateLimited as limited:
        form = Form({}, {"code": [limited.text]})
        return _limited("account/sign_in_code.html", limited, form)
    except ValidationFailed as problem:
        return _page("account/sign_in_code.html", 422, form=Form({}, refilled(problem).errors))
    return finish_sign_in(signed_in)


@routes.get(BY_LINK, ANYONE)
def set_password_page(_: None) -> Response:
    return _password_page(request.args.get("token", ""), 200, Form())


@routes.post(BY_LINK, ANYONE)
def set_password(_: None) -> Response:
    token = request.form.get("token", "")
    try:
        given = read_form(SetPasswordForm)
        link = UseSignInLink(get_service(SignIn))
        return finish_sign_in(link(given["token"], given["password"], current_caller()))
    except LinkExpired:
        return _password_page("", 403, Form())
    except ValidationFailed as problem:
        return _password_page(token, 422, Form({}, refilled(problem).errors))
    except RateLimited as limited:
        form = Form({}, {"password": [limited.text]})
        answer = _password_page(token, HTTP_STATUS[RateLimited], form)
        add_retry_headers(answer, limited)
        return answer


@routes.post("/console/sign-out", ANYONE)
def sign_out(_: None) -> Response:
    token = presented_token()
    if token is not None:
        with writing() as (connection, now):
            sign_out_of(connection, hash_session_token(token), now)
    session.clear()
    answer = redirect_with_flash(SIGN_IN)
    drop_token(answer)
    return answer


@routes.post("/console/move", VIEWER)
def move_to_workspace(current_user: CurrentUser) -> Response:
    wanted = parse_id(request.form.get("workspace_id", ""))
    if wanted is None or current_user.reach.role_in(wanted) is None:
        raise NotFound
    wide = current_user.organization_principal or replace(
        current_user.principal, workspace_id=wanted
    )
    with writing() as (connection, _):
        require_workspace(connection, wide, wanted)
        move_session(connection, current_user.session_id, wanted)
    return redirect_with_flash(wanted_page(HOME))


def _password_page(token: str, status: int, form: Form) -> Response:
    try:
        user = UseSignInLink(get_service(SignIn)).find(token)
    except LinkExpired:
        user = None
    return plain_page("account/set_password.html", status, user=user, token=token, form=form)


def _page(
    template: str,
    status: int = 200,
    form: Form | None = None,
    organizations: Mapping[UUID, str] | None = None,
    *,
    is_of_provider: bool = False,
) -> Response:
    return plain_page(
        template,
        status,
        form=form or Form(),
        wanted=wanted_page(HOME),
        offers_provider=get_service(OffersProvider).is_offered,
        organizations=organizations or {},
        is_of_provider=is_of_provider,
    )


def _limited(template: str, limited: RateLimited, form: Form) -> Response:
    answer = _page(template, HTTP_STATUS[type(limited)], form=form)
    add_retry_headers(answer, limited)
    return answer


def _again(problem: str) -> Form:
    return Form({"email": request.form.get("email", "")}, {"": [problem]})


def _named(several: SeveralAccounts) -> dict[UUID, str]:
    with reading() as connection:
        return load_organization_names(connection, several.organization_ids)


def limited_page(limited: RateLimited) -> Response:
    return _limited("account/sign_in.html", limited, Form({}, {"": [limited.text]}))


def choice_page(several: SeveralAccounts) -> Response:
    form = Form({}, {"": ["You have accounts in several organizations. Select one."]})
    return _page(
        "account/sign_in.html", 422, form=form, organizations=_named(several), is_of_provider=True
    )


def refused_page(why: str, status: int = 403) -> Response:
    return _page("account/sign_in.html", status, form=Form({}, {"": [why]}))


def finish_sign_in(signed_in: SignedIn) -> Response:
    """Redirect to the wanted page, or to the second factor.

    The CSRF token changes, so that one from before the sign-in is not valid.
    """
    session.clear()
    answer = redirect_with_flash(_BY_CODE if signed_in.awaits_second_factor else wanted_page(HOME))
    keep_token(answer, signed_in.token)
    keep_browser(answer, signed_in)
    return answer
