"""Installation of the console: pages, assets, cookies."""

from functools import partial
from pathlib import Path

import structlog
from flask import Blueprint, Flask, Response, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, NotFound

from app.console.access.audit import routes as audit_routes
from app.console.access.keys import routes as access_keys_routes
from app.console.account.page import routes as account_routes
from app.console.account.sign_in import install_identity_provider
from app.console.account.sign_in import routes as sign_in_routes
from app.console.destinations.changes import routes as destination_changes_routes
from app.console.destinations.page import routes as destinations_routes
from app.console.destinations.provider import routes as provider_routes
from app.console.exports import routes as exports_routes
from app.console.guards.page import routes as guards_routes
from app.console.guards.prices import routes as prices_routes
from app.console.messages.page import routes as messages_routes
from app.console.messages.try_out import routes as try_routes
from app.console.overview.find import routes as find_routes
from app.console.overview.page import routes as overview_routes
from app.console.overview.usage import routes as usage_routes
from app.console.ui.guards import FORMS, cookie_scope, signed_in_visitor
from app.console.ui.pages import page_answer, plain_page
from app.console.use_cases.opt_outs import routes as opt_outs_routes
from app.console.use_cases.page import routes as use_cases_routes
from app.console.users.page import routes as people_routes
from app.console.webhooks.page import routes as webhooks_routes
from app.console.workspaces.page import routes as workspaces_routes
from app.kernel import errors as e
from app.settings import Settings
from app.web.errors import HTTP_STATUS, add_retry_headers, http_error_answer, public_of
from app.web.registry import register_service
from app.web.requests import current_request_id

_log = structlog.get_logger(__name__)
_NO_PAGE = "This page does not exist."


def install_failure_pages(blueprint: Blueprint) -> None:
    blueprint.register_error_handler(e.PublicError, failure_page)
    blueprint.register_error_handler(CSRFError, _stale_form)
    blueprint.register_error_handler(HTTPException, _http_error)
    blueprint.register_error_handler(Exception, _defect)


def install_lost_page(app: Flask, below: str) -> None:
    def lost(error: NotFound) -> Response:
        if not request.path.startswith(below + "/"):
            return http_error_answer(error)
        signed_in_visitor()
        return failure_page(e.NotFound())

    app.register_error_handler(NotFound, lost)


def failure_page(error: e.PublicError) -> Response:
    status = HTTP_STATUS[type(error)]
    values = {
        "error": error,
        "shown_status": status,
        "text": _NO_PAGE if error.text == e.NotFound().text else error.text,
        "request_id": current_request_id(),
    }
    current_user = g.get("current_user")
    page = plain_page if current_user is None else partial(page_answer, current_user)
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


CONSOLE_ROUTES = (
    sign_in_routes,
    overview_routes,
    messages_routes,
    exports_routes,
    find_routes,
    guards_routes,
    usage_routes,
    prices_routes,
    try_routes,
    account_routes,
    access_keys_routes,
    workspaces_routes,
    people_routes,
    audit_routes,
    destinations_routes,
    destination_changes_routes,
    provider_routes,
    use_cases_routes,
    opt_outs_routes,
    webhooks_routes,
)
CONSOLE_ASSETS = Path(__file__).parent / "assets"


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
    install_lost_page(app, "/console")
    install_identity_provider(app, settings)
    for place, routes in enumerate(CONSOLE_ROUTES):
        blueprint = routes.blueprint()
        install_failure_pages(blueprint)
        app.register_blueprint(blueprint, name=f"console_{place}")
