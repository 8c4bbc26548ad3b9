"""Sign-in at an OpenID Connect provider."""

from typing import TYPE_CHECKING

import structlog
from flask import Flask, Response, current_app, request, session

from app.console.account.sign_in import (
    OffersProvider,
    choice_page,
    current_caller,
    finish_sign_in,
    limited_page,
    refused_page,
)
from app.console.ui.guards import ANYONE, SIGN_IN, Pages
from app.kernel.errors import NotFound, RateLimited
from app.kernel.ids import parse_id
from app.settings import Settings
from app.users.identity_sign_in import ForgedToken, IdentitySignIn, ProviderFailed
from app.users.sign_in import SeveralAccounts, SignInRefused
from app.web.registry import get_service, register_service

if TYPE_CHECKING:
    from app.console.account.openid import IdentityProvider

_log = structlog.get_logger(__name__)
routes = Pages()
_PROVIDER = "borderpost.identity_provider"
_CALLBACK = SIGN_IN + "/oidc/callback"
_UNREACHABLE = "The identity provider is not available. Try again, or sign in here."
_UNKNOWN = "The identity provider did not confirm an account here."
_CHOSEN = "oidc_organization"


def install_identity_provider(app: Flask, settings: Settings) -> None:
    chosen = settings.identity_provider
    register_service(app, OffersProvider(chosen is not None))
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
def start_identity_sign_in(_: None) -> Response:
    chosen = parse_id(request.args.get("organization_id", ""))
    session[_CHOSEN] = None if chosen is None else str(chosen)
    try:
        return _provider().send_there(get_service(Settings).public_url + _CALLBACK)
    except RateLimited as limited:
        return limited_page(limited)
    except ProviderFailed as problem:
        return _failed(problem)


@routes.get(_CALLBACK, ANYONE, kind=None)
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
        return refused_page(_UNKNOWN)
    except SeveralAccounts as several:
        return choice_page(several)
    except RateLimited as limited:
        return limited_page(limited)
    except ProviderFailed as problem:
        return _failed(problem)


def _failed(problem: ProviderFailed) -> Response:
    # Only the type: the text may contain the provider's answer with a code or an address.
    _log.warning("identity_provider_failed", why=str(problem), path=request.path)
    return refused_page(_UNREACHABLE, 503)
