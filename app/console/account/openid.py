"""The OpenID Connect client of sign-ins."""

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, Response
from joserfc.errors import JoseError
from requests import RequestException
from requests.adapters import BaseAdapter

from app.http_exchange import Deadline, Server, send_request
from app.kernel.concurrency import ConcurrencyLimit
from app.kernel.texts import is_storable
from app.settings import IdentityProviderSettings
from app.users.identity_sign_in import ForgedToken, Identity, ProviderFailed

# The deadline of all calls of one step of a sign-in.
SECONDS = 10.0
_CONNECT_SECONDS = 5.0
EXCHANGES_AT_ONCE = 2
_BUSY = "Too many people are signing in at once; try again."
_LARGEST_ANSWER_BYTES = 1024 * 1024
_deadline: ContextVar[Deadline] = ContextVar("identity_provider_deadline")


class _TimedAdapter(BaseAdapter):
    """Ends calls at the deadline of their step; no proxy is used."""

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        """Raises `RequestException` if no complete answer came in time."""
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        body = request.body.encode() if isinstance(request.body, str) else request.body
        sent = {**request.headers, "Accept-Encoding": "identity", "Connection": "close"}
        try:
            seconds = min(_deadline.get().remaining(), _CONNECT_SECONDS)
            server = Server(origin, keep=0, connect_seconds=seconds, tls=None)
            connection = server.take()
            try:
                connection.deadline = _deadline.get()
                line = request.method, request.path_url
                answer = send_request(connection, line, server.authority, sent, body)
                content = answer.read_whole(_LARGEST_ANSWER_BYTES)
            finally:
                connection.close()
        except Exception as problem:
            raise requests.ConnectionError(type(problem).__name__) from problem
        found = requests.Response()
        found.status_code, found.reason = answer.status, answer.reason
        found.headers.update(answer.headers.items())
        found.raw = io.BytesIO(content)
        found.url, found.request = request.url, request
        return found

    def close(self) -> None:
        """Each call closes its connection."""


class _TimedSession(OAuth2Session):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for scheme in ("http", "https"):
            self.mount(f"{scheme}://", _TimedAdapter())


class _TimedApp(FlaskOAuth2App):  # type: ignore[misc]
    client_cls = _TimedSession


class IdentityProvider:
    """Contacted at the first sign-in. Raises `RateLimited` (too many wait), `ProviderFailed`."""

    def __init__(self, app: Flask, settings: IdentityProviderSettings) -> None:
        self._issuer, self._client_id = settings.issuer, settings.client_id
        self._exchanges = ConcurrencyLimit("sign-ins", EXCHANGES_AT_ONCE, _BUSY)
        self._client = OAuth(app).register(
            "oidc",
            client_cls=_TimedApp,
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=settings.issuer + "/.well-known/openid-configuration",
            client_kwargs={"scope": "openid email", "code_challenge_method": "S256"},
        )

    @contextmanager
    def _step(self) -> Iterator[None]:
        """Take a turn, and start the deadline."""
        with self._exchanges.slot():
            token = _deadline.set(Deadline(SECONDS))
            try:
                yield
            finally:
                _deadline.reset(token)

    def send_there(self, come_back_to: str) -> Response:
        try:
            with self._step():
                answer = self._client.authorize_redirect(come_back_to)
        except (AuthlibBaseError, JoseError, RequestException) as problem:
            raise ProviderFailed(type(problem).__name__) from problem
        return Response(status=302, headers={"Location": answer.headers["Location"]})

    def identity(self) -> Identity:
        """Raises `ForgedToken`."""
        self._client.token = {}
        options = {
            "iss": {"essential": True, "values": [self._issuer, self._issuer + "/"]},
            "aud": {"essential": True, "values": [self._client_id]},
        }
        try:
            with self._step():
                found = self._client.authorize_access_token(claims_options=options)
            claims = found.get("userinfo")
        except (AuthlibBaseError, RequestException) as problem:
            if isinstance(problem, MismatchingStateError):
                raise ForgedToken("the state is not that of this browser", None) from problem
            raise ProviderFailed(type(problem).__name__) from problem
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


def _claimed_email(token: Any) -> str | None:
    try:
        payload = token["id_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        email = claims["email"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    return email if isinstance(email, str) else None
