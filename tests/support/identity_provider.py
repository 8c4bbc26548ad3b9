"""A small OpenID Connect provider on loopback, where one person is always signed in."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "borderpost", "the client's secret"
_KEY = RSAKey.generate_key(2048, {"kid": "one"})
_STRANGE_KEY = RSAKey.generate_key(2048, {"kid": "one"})


@dataclass
class Provider:
    """Who is signed in there, and what the provider does wrong on request."""

    url: str = ""
    claims: dict[str, Any] = field(
        default_factory=lambda: {"email": "ada@example.com", "email_verified": True}
    )
    subject: str = "ada"
    other_nonce: bool = False
    other_audience: bool = False
    other_issuer: bool = False
    expired: bool = False
    unsigned: bool = False
    strange_key: bool = False
    broken: bool = False
    drips: threading.Event | None = None
    _asked: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self) -> Any:
        code = secrets.token_hex(8)
        self._asked[code] = request.args.to_dict()
        query = urlencode({"code": code, "state": request.args["state"]})
        return redirect(f"{request.args['redirect_uri']}?{query}")

    def token(self) -> Any:
        asked = self._asked.pop(request.form["code"])
        digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        is_proved = (
            base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        )
        credentials = request.authorization
        is_client = credentials is not None and credentials.password == CLIENT_SECRET
        if self.broken or not is_proved or not is_client:
            return Response('{"error": "invalid_grant"}', 400, mimetype="application/json")
        now = int(time.time())
        claims = self.claims | {
            "iss": "https://other.example" if self.other_issuer else self.url,
            "sub": self.subject,
            "aud": "other" if self.other_audience else CLIENT_ID,
            "azp": CLIENT_ID,
            "iat": now - 7200,
            "exp": now + (-3600 if self.expired else 60),
            "nonce": "other" if self.other_nonce else asked["nonce"],
        }
        key = _STRANGE_KEY if self.strange_key else _KEY
        if self.unsigned:
            parts = ({"alg": "none"}, claims)
            texts = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts]
            unsigned = ".".join(text.rstrip("=") for text in texts) + "."
            return {"access_token": "unused", "token_type": "Bearer", "id_token": unsigned}
        id_token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
        return {"access_token": "unused", "token_type": "Bearer", "id_token": id_token}

    def metadata(self) -> Any:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> Any:
        """Answer with the keys, or one byte at a time until the test ends that."""
        if self.drips is None:
            return {"keys": [_KEY.as_dict(private=False)]}
        return Response(self._drops(self.drips), mimetype="application/json")

    @staticmethod
    def _drops(ended: threading.Event) -> Iterator[bytes]:
        while not ended.wait(0.05):
            yield b" "


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Run a provider for the time of a test."""
    provider = Provider()
    app = Flask("provider")
    app.add_url_rule("/.well-known/openid-configuration", view_func=provider.metadata)
    app.add_url_rule("/authorize", view_func=provider.authorize)
    app.add_url_rule("/token", view_func=provider.token, methods=["POST"])
    app.add_url_rule("/keys", view_func=provider.keys)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
