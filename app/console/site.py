"""Installation of the console: pages, assets, cookies."""

from pathlib import Path

import structlog
from flask import Flask, Response, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, NotFound

from app.console import exports, users, webhooks, workspaces
from app.console.access import audit, keys
from app.console.account import page as account, sign_in
from app.console.destinations import changes, page as destinations, provider
from app.console.guards import page as guards, prices
from app.console.messages import page as messages, try_out
from app.console.overview import find, page as overview, usage
from app.console.ui.guards import FORMS, cookie_scope, signed_in_visitor
from app.console.ui.pages import page_answer, plain_page
from app.console.use_cases import opt_outs, page as use_cases
from app.kernel import errors as e
from app.settings import Settings
from app.web.errors import HTTP_STATUS, add_retry_headers, http_error_answer, public_of
from app.web.registry import register_service
from app.web.requests import current_request_id

_log = structlog.get_logger(__name__)
_ACCOUNT = (sign_in, account)
_MESSAGES = (overview, messages, exports, find, usage, try_out)
_CHANNEL = (destinations, changes, provider, guards, prices, use_cases, opt_outs)
_SETTINGS = (workspaces, users, audit, keys, webhooks)
CONSOLE_ROUTES = tuple(one.routes for one in (*_ACCOUNT, *_MESSAGES, *_CHANNEL, *_SETTINGS))
CONSOLE_ASSETS = Path(__file__).parent / "assets"


def _lost(error: NotFound) -> Response:
    if not request.path.startswith("/console/"):
        return http_error_answer(error)
    signed_in_visitor()
    return failure_page(e.NotFound())


def failure_page(error: e.PublicError) -> Response:
    status = HTTP_STATUS[type(error)]
    values = {
        "error": error,
        "shown_status": status,
        "text": "This page does not exist." if error.text == e.NotFound().text else error.text,
        "request_id": current_request_id(),
    }
    page = plain_page if g.get("current_user") is None else page_answer
    return add_retry_headers(page("ui/failure.html", status, **values), error)


def _stale_form(_: CSRFError) -> Response:
    return failure_page(
        e.BadRequest(
            "The form has expired or is not valid. Go back, reload the page and try again."
        )
    )


def _http_error(error: HTTPException) -> Response:
    public = public_of(error)
    return _defect(error) if public is None else failure_page(public)


def _defect(error: Exception) -> Response:
    _log.error("page_failed", exc_info=error)
    return failure_page(e.InternalError())


def install_console(app: Flask, settings: Settings) -> None:
    scope = cookie_scope(settings.public_url)
    register_service(app, scope)
    app.config.update(
        SESSION_COOKIE_NAME=scope.named(FORMS),
        SESSION_COOKIE_PATH=scope.path,
        SESSION_COOKIE_SECURE=scope.is_https,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.register_error_handler(NotFound, _lost)
    sign_in.install_identity_provider(app, settings)
    for place, routes in enumerate(CONSOLE_ROUTES):
        blueprint = routes.blueprint()
        blueprint.register_error_handler(e.PublicError, failure_page)
        blueprint.register_error_handler(CSRFError, _stale_form)
        blueprint.register_error_handler(HTTPException, _http_error)
        blueprint.register_error_handler(Exception, _defect)
        app.register_blueprint(blueprint, name=f"console_{place}")
