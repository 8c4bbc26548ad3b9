"""Signing in at an OpenID Connect provider: sent there, brought back, known by e-mail."""

import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, Response, request
from joserfc.errors import JoseError
from requests import RequestException

from app.console.cookies import presented_token
from app.console.guard import SIGN_IN, Stranger
from app.console.sign_in_page import OffersProvider, refused_page, welcome
from app.kernel.errors import NotFound
from app.people.sign_in import SignIn, SignInRefused
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
_UNKNOWN = "You are known there, but nobody here has that verified e-mail address."


class NotVouchedFor(Exception):
    """The provider does not say whose verified e-mail address this is."""


class IdentityProvider:
    """The provider of the settings; its addresses and keys are asked for at the first sign-in."""

    def __init__(self, app: Flask, settings: IdentityProviderSettings) -> None:
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

    def verified_email(self) -> str:
        """Return whom the provider vouches for in the request that brought the browser back.

        Raises:
            NotVouchedFor: it names no verified address.
            AuthlibBaseError, JoseError, RequestException: the answer is not the provider's, or none
                came.
        """
        claims = self._client.authorize_access_token().get("userinfo") or {}
        if claims.get("email_verified") is not True or not claims.get("email"):
            raise NotVouchedFor
        return str(claims["email"])


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
    try:
        return _provider().send_there(service(Settings).public_url + _CALLBACK)
    except _PROVIDER_ERRORS as problem:
        return _failed(problem)


@routes.add("GET", _CALLBACK, guard=Stranger(), answers={303: None, 403: "text/html"})
def come_from_identity_provider(_: None) -> Answer:
    """Sign in whom the identity provider vouches for."""
    try:
        email = _provider().verified_email()
        return welcome(service(SignIn).by_verified_email(email, presented_token()))
    except (SignInRefused, NotVouchedFor):
        return refused_page(_UNKNOWN)
    except _PROVIDER_ERRORS as problem:
        return _failed(problem)


def _failed(problem: Exception) -> Response:
    # Its text may hold what the provider wrote, a code or an address among it.
    _log.warning("identity_provider_failed", why=type(problem).__name__, path=request.path)
    return refused_page(_UNREACHABLE, 503)
