"""Signing in at an OpenID Connect provider: sent there, brought back, identified by a token."""

import base64
import json
from typing import Any

import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.flask_client import OAuth
from flask import Flask, Response, request, session
from joserfc.errors import JoseError
from requests import RequestException

from app.console.callers import current_caller
from app.console.guard import SIGN_IN, Stranger
from app.console.sign_in_page import (
    OffersProvider,
    choice_page,
    limited_page,
    refused_page,
    welcome,
)
from app.kernel.errors import NotFound, RateLimited
from app.kernel.ids import parse_id
from app.kernel.texts import is_storable
from app.people.identity_sign_in import Identity, IdentitySignIn
from app.people.sign_in import SeveralAccounts, SignInRefused
from app.settings import IdentityProviderSettings, Settings
from app.web.routes import Answer, Routes
from app.web.wiring import provide, service

_log = structlog.get_logger(__name__)
routes = Routes("Console", described=False)
_CALLBACK = SIGN_IN + "/oidc/callback"
_TIMEOUT_SECONDS = 5.0
_UNREACHABLE = "The identity provider did not answer as it should. Try again, or sign in here."
# What a provider that is gone, broken or not the right one makes of a sign-in.
_PROVIDER_ERRORS = (AuthlibBaseError, JoseError, RequestException)
_UNKNOWN = "The identity provider did not prove that you have an account here."
_CHOSEN = "oidc_organization"


class ForgedToken(Exception):
    """The token does not prove who this is; ``email`` is the address that it claims, if any."""

    def __init__(self, why: str, email: str | None) -> None:
        self.why, self.email = why, email
        super().__init__(why)


class IdentityProvider:
    """The provider of the settings; its addresses and keys are asked for at the first sign-in."""

    def __init__(self, app: Flask, settings: IdentityProviderSettings) -> None:
        self._issuer, self._client_id = settings.issuer, settings.client_id
        self._client = OAuth(app).register(
            "oidc",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=settings.issuer + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid email",
                "timeout": _TIMEOUT_SECONDS,
                "code_challenge_method": "S256",
            },
        )

    def send_there(self, come_back_to: str) -> Response:
        """Send the browser to the provider."""
        answer = self._client.authorize_redirect(come_back_to)
        return Response(status=302, headers={"Location": answer.headers["Location"]})

    def identity(self) -> Identity:
        """Return whom the provider has identified in the request that brought the browser back.

        Raises:
            ForgedToken: the token is not the provider's, not for us, or not for this sign-in.
            AuthlibBaseError, RequestException: the provider did not answer as it should.
        """
        self._client.token = {}
        options = {
            "iss": {"essential": True, "values": [self._issuer, self._issuer + "/"]},
            "aud": {"essential": True, "values": [self._client_id]},
        }
        try:
            claims = self._client.authorize_access_token(claims_options=options).get("userinfo")
        except (AuthlibBaseError, RequestException) as problem:
            if isinstance(problem, MismatchingStateError):
                raise ForgedToken("the state is not that of this browser", None) from problem
            raise
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as problem:
            why = f"the token of the identity provider is not valid: {type(problem).__name__}"
            raise ForgedToken(why, _claimed_email(self._client.token)) from problem
        if not claims or not isinstance(claims["sub"], str) or not claims["sub"]:
            raise ForgedToken("the identity provider sent no token", None)
        email = claims.get("email") if claims.get("email_verified") is True else None
        return Identity(
            issuer=self._issuer,
            subject=claims["sub"],
            email=email if isinstance(email, str) and is_storable(email) else None,
        )


def install_identity_provider(app: Flask, settings: Settings) -> None:
    """Make the provider of the settings known to the pages."""
    chosen = settings.identity_provider
    provider = None if chosen is None else IdentityProvider(app, chosen)
    provide(app, provider, as_type=IdentityProvider)
    provide(app, OffersProvider(provider is not None))


def _provider() -> IdentityProvider:
    found: IdentityProvider | None = service(IdentityProvider)
    if found is None:
        raise NotFound
    return found


@routes.add("GET", SIGN_IN + "/oidc", guard=Stranger(), answers={302: None, 503: "text/html"})
def go_to_identity_provider(_: None) -> Answer:
    """Send the browser to the identity provider."""
    chosen = parse_id(request.args.get("organization_id", ""))
    session[_CHOSEN] = None if chosen is None else str(chosen)
    try:
        return _provider().send_there(service(Settings).public_url + _CALLBACK)
    except _PROVIDER_ERRORS as problem:
        return _failed(problem)


@routes.add("GET", _CALLBACK, guard=Stranger(), answers={303: None, 403: "text/html"})
def come_from_identity_provider(_: None) -> Answer:
    """Sign in whom the identity provider has identified."""
    operation, caller = service(IdentitySignIn), current_caller()
    chosen = parse_id(session.get(_CHOSEN) or "")
    try:
        try:
            identity = _provider().identity()
        except ForgedToken as forged:
            operation.refuse(forged.email, forged.why, caller)
        return welcome(operation.by_identity(identity, caller, chosen))
    except SignInRefused:
        return refused_page(_UNKNOWN)
    except SeveralAccounts as several:
        return choice_page(several)
    except RateLimited as limited:
        return limited_page(limited)
    except _PROVIDER_ERRORS as problem:
        return _failed(problem)


def _claimed_email(token: Any) -> str | None:
    """Return the address that a token claims, which proves nothing, for the audit."""
    try:
        payload = token["id_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        email = claims["email"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    return email if isinstance(email, str) else None


def _failed(problem: Exception) -> Response:
    # Its text may hold what the provider wrote, a code or an address among it.
    _log.warning("identity_provider_failed", why=type(problem).__name__, path=request.path)
    return refused_page(_UNREACHABLE, 503)
