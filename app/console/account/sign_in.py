"""Pages for sign-in, also at an identity provider, sign-out and switching the workspace."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from flask import Flask, Response, current_app, request, session

from app.access.store import require_workspace
from app.console.ui.forms import read_form, read_secret, refilled
from app.console.ui.guards import ANYONE, SESSION, SIGN_IN, VIEWER, Pages, keep, presented
from app.console.ui.pages import NO_FORM, Form, plain_page, redirect_with_flash, wanted_page
from app.kernel.errors import NotFound, RateLimited, ValidationFailed
from app.kernel.ids import parse_id
from app.settings import Settings
from app.users.caller import KNOWN_FOR, Caller, KnownBrowserCookie, device_of
from app.users.current_user import CurrentUser
from app.users.identity_sign_in import ForgedToken, IdentitySignIn, ProviderFailed
from app.users.sessions import LONGEST, hash_session_token, update_session
from app.users.sign_in import SeveralAccounts, SignedIn, SignIn, SignInRefused, sign_out_of
from app.users.sign_in_links import LinkExpired, UseSignInLink
from app.users.store import load_organization_names
from app.web.errors import HTTP_STATUS, add_retry_headers
from app.web.fields import Id, StrictSchema, Text
from app.web.registry import get_service, reading, writing
from app.web.requests import address_group, current_request_id, peer_address

if TYPE_CHECKING:
    from app.console.account.openid import IdentityProvider

_log = structlog.get_logger(__name__)
_BROWSER = "borderpost_browser"
routes = Pages()
HOME = "/console"
_BY_CODE = SIGN_IN + "/code"
BY_LINK = SIGN_IN + "/link"
_REFUSED = (
    "E-mail or password is wrong. After several wrong attempts you have to wait before trying "
    "again."
)
_PROVIDER = "borderpost.identity_provider"
_CALLBACK = SIGN_IN + "/oidc/callback"
_UNREACHABLE = "The identity provider is not available. Try again, or sign in here."
_UNKNOWN = "The identity provider did not confirm an account here."
_SEVERAL = "You have accounts in several organizations. Select one."
_CHOSEN = "oidc_organization"


def current_caller() -> Caller:
    address = peer_address()
    return Caller(
        address=address,
        group=address_group(address),
        request_id=current_request_id(),
        browser=get_service(KnownBrowserCookie).read(presented(_BROWSER)),
        session_token=presented(SESSION),
        device=device_of(request.headers.get("User-Agent", "")),
    )


def emptied(errors: Mapping[str, list[str]]) -> Form:
    return Form({"email": request.form.get("email", "")}, errors)


def emptying(
    page: Callable[..., Response], form: str = "form", field: str = ""
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Show the page again, with the e-mail address alone, if a view raises one of two errors.

    They are `ValidationFailed` and `RateLimited`, which is shown at ``field``.
    """

    def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(view)
        def serve(caller: Any) -> Response:
            try:
                return view(caller)
            except ValidationFailed as problem:
                return page(caller, 422, **{form: emptied(refilled(problem).errors)})
            except RateLimited as limited:
                wrong = emptied({field: [limited.text]})
                answer = page(caller, HTTP_STATUS[RateLimited], **{form: wrong})
                return add_retry_headers(answer, limited)

        return serve

    return decorate


class SignInForm(StrictSchema):
    email = Text(load_default="")
    password = Text(load_default="")
    access_key = Text(load_default="")
    organization_id = Id(load_default=None)


@routes.get(SIGN_IN, ANYONE)
def sign_in_page(
    _: None,
    status: int = 200,
    form: Form = NO_FORM,
    several: SeveralAccounts | None = None,
    *,
    is_of_provider: bool = False,
) -> Response:
    organizations: Mapping[UUID, str] = {}
    if several is not None:
        with reading() as connection:
            organizations = load_organization_names(connection, several.organization_ids)
    return plain_page(
        "account/sign_in.html",
        status,
        form=form,
        wanted=wanted_page(HOME),
        is_unsaved="unsaved" in request.args,
        offers_provider=_PROVIDER in current_app.extensions,
        organizations=organizations,
        is_of_provider=is_of_provider,
    )


@routes.post(SIGN_IN, ANYONE)
@emptying(sign_in_page)
def sign_in(_: None) -> Response:
    operation, caller, given = get_service(SignIn), current_caller(), read_form(SignInForm)
    try:
        if given["access_key"]:
            signed_in = operation.by_key(given["access_key"].strip(), caller)
        else:
            signed_in = operation.by_password(
                given["email"], given["password"], caller, given["organization_id"]
            )
    except SignInRefused:
        return sign_in_page(None, 403, emptied({"": [_REFUSED]}))
    except SeveralAccounts as several:
        form = emptied({"": ["Select the organization and enter the password again."]})
        return sign_in_page(None, 422, form, several)
    return finish_sign_in(signed_in)


@routes.get(_BY_CODE, ANYONE)
def second_factor_page(_: None, status: int = 200, form: Form = NO_FORM) -> Response:
    return plain_page("account/sign_in_code.html", status, form=form, wanted=wanted_page(HOME))


@routes.post(_BY_CODE, ANYONE)
@emptying(second_factor_page, field="code")
def sign_in_by_code(_: None) -> Response:
    try:
        signed_in = get_service(SignIn).by_code(read_secret("code"), current_caller())
    except SignInRefused:
        return second_factor_page(None, 403, Form({}, {"code": [_REFUSED]}))
    return finish_sign_in(signed_in)


@routes.get(BY_LINK, ANYONE)
def set_password_page(_: None, status: int = 200, form: Form = NO_FORM) -> Response:
    token, user = request.values.get("token", ""), None
    with suppress(LinkExpired):
        user = UseSignInLink(get_service(SignIn)).find(token)
    return plain_page("account/set_password.html", status, user=user, token=token, form=form)


@routes.post(BY_LINK, ANYONE)
@emptying(set_password_page, field="password")
def set_password(_: None) -> Response:
    use = UseSignInLink(get_service(SignIn))
    try:
        return finish_sign_in(use(read_secret("token"), read_secret("password"), current_caller()))
    except LinkExpired:
        return set_password_page(None, 403)


@routes.post("/console/sign-out", ANYONE)
def sign_out(_: None) -> Response:
    token = presented(SESSION)
    if token is not None:
        with writing() as (connection, now):
            sign_out_of(connection, hash_session_token(token), now)
    session.clear()
    answer = redirect_with_flash(SIGN_IN)
    keep(answer, SESSION, "", 0)
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
        update_session(connection, current_user.session_id, workspace_id=wanted)
    return redirect_with_flash(wanted_page(HOME))


def finish_sign_in(signed_in: SignedIn) -> Response:
    """Also change the CSRF token, so that one from before the sign-in is not valid."""
    session.clear()
    answer = redirect_with_flash(_BY_CODE if signed_in.awaits_second_factor else wanted_page(HOME))
    keep(answer, SESSION, signed_in.token, LONGEST.total_seconds())
    if signed_in.browser is not None:
        keep(answer, _BROWSER, signed_in.browser, KNOWN_FOR.total_seconds())
    return answer


def install_identity_provider(app: Flask, settings: Settings) -> None:
    chosen = settings.identity_provider
    if chosen is not None:
        # 5 MiB, which a gateway without an identity provider has no use for.
        from app.console.account.openid import IdentityProvider  # noqa: PLC0415

        app.extensions[_PROVIDER] = IdentityProvider(app, chosen)


def _provider() -> "IdentityProvider":
    found: IdentityProvider | None = current_app.extensions.get(_PROVIDER)
    if found is None:
        raise NotFound
    return found


@routes.get(SIGN_IN + "/oidc", ANYONE, kind=None)
@emptying(sign_in_page)
def start_identity_sign_in(_: None) -> Response:
    chosen = parse_id(request.args.get("organization_id", ""))
    session[_CHOSEN] = None if chosen is None else str(chosen)
    try:
        return _provider().send_there(get_service(Settings).public_url + _CALLBACK)
    except ProviderFailed as problem:
        return _failed(problem)


@routes.get(_CALLBACK, ANYONE, kind=None)
@emptying(sign_in_page)
def finish_identity_sign_in(_: None) -> Response:
    operation, caller = get_service(IdentitySignIn), current_caller()
    chosen = parse_id(session.get(_CHOSEN) or "")
    try:
        try:
            identity = _provider().identity()
        except ForgedToken as forged:
            operation.refuse(forged.email, forged.why, caller)
        return finish_sign_in(operation.by_identity(identity, caller, chosen))
    except SignInRefused:
        return sign_in_page(None, 403, Form({}, {"": [_UNKNOWN]}))
    except SeveralAccounts as several:
        return sign_in_page(None, 422, Form({}, {"": [_SEVERAL]}), several, is_of_provider=True)
    except ProviderFailed as problem:
        return _failed(problem)


def _failed(problem: ProviderFailed) -> Response:
    # Only the type: the text may contain the provider's answer with a code or an address.
    _log.warning("identity_provider_failed", why=str(problem), path=request.path)
    return sign_in_page(None, 503, Form({}, {"": [_UNREACHABLE]}))
