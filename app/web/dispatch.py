"""Flask, with a shorter way from a request to its view.

It leaves out signals, coroutines and hooks of blueprints. No route uses them, and they make a third
of the calls of a callback.
"""

from collections.abc import Callable
from contextvars import Token
from functools import cached_property, lru_cache
from typing import Any

from flask import Flask, Request, Response
from flask.ctx import AppContext, RequestContext
from flask.globals import _cv_app, _cv_request
from flask.sessions import NullSession, SecureCookieSession, SecureCookieSessionInterface
from werkzeug.routing import MapAdapter, Rule
from werkzeug.sansio.utils import get_host


def current_request() -> Request:
    """Without `flask.request`, which makes three calls for each attribute."""
    return _cv_request.get().request


def current_app() -> Flask:
    return _cv_app.get().app


class _PageSessions(SecureCookieSessionInterface):
    """Flask's sessions, for the console alone: opening one is a twentieth of an API request."""

    def __init__(self) -> None:
        self._none = self.null_session_class()

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return super().open_session(app, request) if request.path.startswith("/console") else None

    def make_null_session(self, app: Flask) -> NullSession:  # noqa: ARG002  # Flask's signature
        """Return the one session that nobody can change."""
        return self._none


# Of each request, but nearly all of them name one of a few hosts.
_checked_host = lru_cache(maxsize=16)(get_host)


class _Context(RequestContext):
    """The context of a request, which brings the one of the application."""

    app: "App"

    def __init__(self, app: "App", environ: dict[str, Any]) -> None:
        super().__init__(app, environ)
        self._of_app = AppContext(app)
        self._tokens: list[tuple[Token[RequestContext], Token[AppContext]]] = []

    def push(self) -> None:
        self._tokens.append((_cv_request.set(self), _cv_app.set(self._of_app)))
        if self._session is not None:  # an answer that is written in pieces pushes it again
            return
        sessions = self.app.session_interface
        session = sessions.open_session(self.app, self.request)
        self._session = sessions.make_null_session(self.app) if session is None else session
        if self.url_adapter is not None:
            self.match_request()

    def match_request(self) -> None:
        """Look a path without values up; Werkzeug walks through its parts."""
        rule = self.app.fixed_routes.get((self.request.path, self.request.method))
        if rule is None:
            super().match_request()
        else:
            self.request.url_rule, self.request.view_args = rule, {}

    def pop(self, exc: BaseException | None = None) -> None:
        is_last = len(self._tokens) == 1
        if is_last and self.app.teardown_request_funcs:
            self.app.do_teardown_request(exc)
        of_request, of_app = self._tokens.pop()
        _cv_app.reset(of_app)
        _cv_request.reset(of_request)
        if is_last:
            self.request.close()
            self.request.environ["werkzeug.request"] = None  # ends the cycle of references


class App(Flask):
    session_interface = _PageSessions()

    def request_context(self, environ: dict[str, Any]) -> RequestContext:
        return _Context(self, environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the routes to a request; Flask reads and checks its host once more."""
        if request is None:
            return None
        host = _checked_host(request.scheme, request.environ.get("HTTP_HOST"), request.server)
        vars(request)["host"] = host
        return MapAdapter(
            self.url_map,
            server_name=host,
            script_name=request.root_path,
            subdomain="",
            url_scheme=request.scheme,
            path_info=request.path,
            default_method=request.method,
            query_args=request.environ.get("QUERY_STRING", ""),
        )

    @cached_property
    def fixed_routes(self) -> dict[tuple[str, str], Rule]:
        """Map path and method to the route, if the path has no values. No route is added later."""
        return {
            (rule.rule, method): rule
            for rule in self.url_map.iter_rules()
            if not rule.arguments
            for method in rule.methods or ()
        }

    def full_dispatch_request(self) -> Response:
        request = current_request()
        answer: Any
        try:
            answer = self.preprocess_request() if self.before_request_funcs else None
            if answer is None:
                if request.url_rule is None:
                    self.raise_routing_exception(request)
                answer = self.view_functions[request.url_rule.endpoint](**request.view_args or {})
        except Exception as error:  # noqa: BLE001
            answer = self.handle_user_exception(error)
        return self.process_response(self.make_response(answer))

    def process_response(self, response: Response) -> Response:
        for after in self.after_request_funcs.get(None, ()):
            response = self.ensure_sync(after)(response)
        session = _cv_request.get().session
        if not isinstance(session, NullSession):
            self.session_interface.save_session(self, session, response)
        return response

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No function is a coroutine: Flask looks at each one that a request calls."""
        return func
