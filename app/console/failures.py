"""Error pages."""

import structlog
from flask import Blueprint, Flask, Response, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, NotFound

from app.console.pages import draw, page_around
from app.kernel import errors as e
from app.web.errors import HTTP_STATUS, http_error_answer, public_of
from app.web.html import html_answer

_log = structlog.get_logger(__name__)


def install_failure_pages(blueprint: Blueprint) -> None:
    """Make every error of a blueprint's pages a page."""
    blueprint.register_error_handler(e.PublicError, failure_page)
    blueprint.register_error_handler(CSRFError, _stale_form)
    blueprint.register_error_handler(HTTPException, _http_error)
    blueprint.register_error_handler(Exception, _defect)


def install_lost_page(app: Flask, below: str) -> None:
    """Render unknown console paths as a page."""

    def lost(error: NotFound) -> Response:
        is_ours = request.path.startswith(below + "/")
        return failure_page(e.NotFound()) if is_ours else http_error_answer(error)

    app.register_error_handler(NotFound, lost)


def failure_page(error: e.PublicError) -> Response:
    """Write a public error as a page with its status."""
    status = HTTP_STATUS[type(error)]
    text = draw("failure.html", error=error, status=status, request_id=g.get("request_id", ""))
    answer = page_around(html_answer(text, status))
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


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
