"""A small application with one route behind Twilio's signature, and no database."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask

from app.kernel.rates import RateBuckets
from app.providers.port import Callbacks
from app.providers.twilio.callbacks import SignedByTwilio, SignedForm
from app.web.errors import install_error_handlers
from app.web.registry import register_service
from app.web.requests import PrefixMiddleware, install_request_handling
from app.web.routes import Answer, Routes


@dataclass
class KnownTokens:
    """Stands in for the stored tokens: one account has these, or every account."""

    tokens: tuple[str, ...]
    account_sid: str | None = None

    def kept(self, account_sid: str) -> tuple[str, ...]:
        return self.tokens if self.account_sid in {None, account_sid} else ()

    fresh = kept


def signed_app(public_url: str, path: str, *tokens: str) -> Flask:
    """Serve one path that answers 204 to what is rightly signed."""
    routes = Routes("signed", ignores_unknown=True)

    @routes.add("POST", path, guard=SignedByTwilio(), form={"AccountSid": ""}, answers={204: None})
    def take(_signed: SignedForm) -> Answer:
        """Take whatever is signed."""
        return Answer(status=204)

    def ignore(_report: object) -> None:
        """Nothing is reported by this route."""

    return serve_callbacks(routes, Callbacks(public_url, KnownTokens(tokens), ignore, ignore))


def serve_callbacks(routes: Routes, callbacks: Callbacks) -> Flask:
    """Serve the callback routes of a provider."""
    app = Flask("guarded", static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    register_service(app, callbacks)
    register_service(app, RateBuckets(Path(tempfile.mkdtemp()), monotonic_ns=lambda: 10**15))
    app.register_blueprint(routes.blueprint())
    install_error_handlers(app)
    install_request_handling(app, is_https=callbacks.public_url.startswith("https"))
    prefix = urlsplit(callbacks.public_url).path.rstrip("/")
    app.wsgi_app = PrefixMiddleware(app.wsgi_app, prefix)  # type: ignore[method-assign]
    return app
