"""Error pages."""

import structlog
from flask import Blueprint, Flask, Response, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, NotFound

from app.console.guard import signed_in_visitor
from app.console.pages import draw, page_answer, page_around
from app.kernel import errors as e
from app.web.errors import HTTP_STATUS, http_error_answer, public_of
from app.web.html import html_answer

_log = structlog.get_logger(__name__)
_NO_PAGE = "This page does not exist."


def install_failure_pages(blueprint: Blueprint) -> None:
    """Make every error of a blueprint's pages a page."""
    blueprint.register_error_handler(e.PublicError, failure_page)
    blueprint.register_error_handler(CSRFError, _stale_form)
    blueprint.register_error_handler(HTTPException, _http_error)
    blueprint.register_error_handler(Exception, _defect)


def install_lost_page(app: Flask, below: str) -> None:
    """Render unknown console paths as a page."""

    def lost(error: NotFound) -> Response:
        if not request.path.startswith(below + "/"):
            return http_error_answer(error)
        signed_in_visitor()
        return failure_page(e.NotFound())

    app.register_error_handler(NotFound, lost)


def failure_page(error: e.PublicError) -> Response:
    """Write a public error as a page with its status."""
    status = HTTP_STATUS[type(error)]
    values = {
        "error": error,
        "text": _NO_PAGE if error.text == e.NotFound().text else error.text,
        "request_id": g.get("request_id", ""),
    }
    visitor = g.get("visitor")
    if visitor is None:
        text = draw("failure.html", status=status, **values)
        answer = page_around(html_answer(text, status))
    else:
        answer = page_answer(visitor, "failure_in_page.html", status, shown_status=status, **values)
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
