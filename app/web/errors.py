"""The mapping of public errors to HTTP, and the error handlers."""

import structlog
from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from app.db.unavailable import said_by_driver
from app.kernel import errors as e
from app.web.logs import add_to_line

_log = structlog.get_logger(__name__)
REPLAYED = "Idempotent-Replayed"

HTTP_STATUS: dict[type[e.PublicError], int] = {
    e.BadRequest: 400,
    e.Unauthorized: 401,
    e.Forbidden: 403,
    e.WorkspaceSuspended: 403,
    e.NotFound: 404,
    e.UseCaseNotFound: 404,
    e.MethodNotAllowed: 405,
    e.IdempotencyConflict: 409,
    e.DestinationsInherited: 409,
    e.RevisionMismatch: 412,
    e.PayloadTooLarge: 413,
    e.UnsupportedMediaType: 415,
    e.ValidationFailed: 422,
    e.UseCaseInactive: 422,
    e.NoSenderNumber: 422,
    e.CampaignNotVerified: 422,
    e.BrandSuspended: 422,
    e.InvalidDestination: 422,
    e.DestinationBlocked: 422,
    e.RecipientOptedOut: 422,
    e.GuardTripped: 422,
    e.MessageRejected: 422,
    e.IdempotencyKeyReused: 422,
    e.RateLimited: 429,
    e.InternalError: 500,
    e.ProviderMisconfigured: 502,
    e.ProviderUnavailable: 503,
    e.ServiceUnavailable: 503,
    e.SubmissionUnconfirmed: 504,
}

_OF_WERKZEUG: dict[int, type[e.PublicError]] = {
    404: e.NotFound,
    405: e.MethodNotAllowed,
    413: e.PayloadTooLarge,
    415: e.UnsupportedMediaType,
}


def error_answer(error: e.PublicError) -> Response:
    body: dict[str, object] = {"code": error.code, "message": error.text}
    if error.details is not None:
        body["details"] = error.details
    answer = Response(
        json.dumps(body), status=HTTP_STATUS[type(error)], mimetype="application/json"
    )
    add_retry_headers(answer, error)
    if isinstance(error, e.Unauthorized):
        answer.headers["WWW-Authenticate"] = error.scheme
    if isinstance(error, e.SubmissionUnconfirmed) and error.is_replayed:
        answer.headers[REPLAYED] = "true"
    return answer


def add_retry_headers(answer: Response, error: e.PublicError) -> Response:
    if isinstance(error, e.ServiceUnavailable):
        add_to_line(why=said_by_driver(error))
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, e.RateLimited):
        add_rate_headers(answer, error.quota, 0, error.retry_after_seconds or 1)
    return answer


def add_rate_headers(answer: Response, quota: e.Quota, remaining: int, seconds: int) -> None:
    """Add a limit and what is left of it: draft-ietf-httpapi-ratelimit-headers-11."""
    window = quota.window_seconds
    of_time = 'qu="concurrent-requests"' if window is None else f"w={window}"
    item = f'"{quota.name}"'
    for name, value in (
        ("RateLimit-Policy", f"{item};q={quota.requests};{of_time}"),
        ("RateLimit", f"{item};r={remaining};t={seconds}"),
    ):
        met = answer.headers.get(name)
        is_of_another = met is not None and not met.startswith(item)
        answer.headers[name] = f"{value}, {met}" if is_of_another else value


def install_error_handlers(app: Flask) -> None:
    app.register_error_handler(e.PublicError, error_answer)
    app.register_error_handler(HTTPException, http_error_answer)
    app.register_error_handler(Exception, _defect)


def public_of(error: HTTPException) -> e.PublicError | None:
    """None for a defect."""
    if error.code is not None and error.code >= 500:  # noqa: PLR2004
        return None
    return _OF_WERKZEUG.get(error.code or 400, e.BadRequest)()


def http_error_answer(error: HTTPException) -> Response:
    public = public_of(error)
    if public is None:
        return _defect(error)
    answer = error_answer(public)
    for name, value in error.get_headers():
        if name.lower() == "allow":
            answer.headers[name] = value
    return answer


def _defect(error: Exception) -> Response:
    _log.error("request_failed", exc_info=error)
    return error_answer(e.InternalError())
