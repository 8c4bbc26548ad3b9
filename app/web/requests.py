"""Handling around every request: id, log line, security headers, limits."""

import re
import time
import uuid
from collections.abc import Mapping

import structlog
from flask import Flask, Response, current_app, g, request

from app.web.bodies import MAX_BODY_BYTES
from app.web.metrics import REQUEST_SECONDS
from app.web.waiting import condition_to_run_again

_log = structlog.get_logger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
# Unknown methods are not labels: each label value is kept forever.
_COUNTED_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

_UNUSED_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)

API_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _UNUSED_FEATURES),
}

_HSTS = {"Strict-Transport-Security": "max-age=31536000"}
_HEADERS = "borderpost.headers"


def install_request_handling(app: Flask, *, is_https: bool) -> None:
    app.extensions[_HEADERS] = API_HEADERS | (_HSTS if is_https else {})
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.before_request(_begin)
    app.after_request(_finish)


def headers_of(app: object) -> Mapping[str, str]:
    found: Mapping[str, str] = getattr(app, "extensions", {}).get(_HEADERS, API_HEADERS)
    return found


def request_id_of(given: str) -> str:
    return given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def _begin() -> None:
    g.request_id = request_id_of(request.headers.get("X-Request-Id", ""))
    g.started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(answer: Response) -> Response:
    given = {name.lower() for name, _ in answer.headers}
    for name, value in headers_of(current_app).items():
        if name.lower() not in given:
            answer.headers.add(name, value)
    answer.headers.add("X-Request-Id", g.request_id)
    if condition_to_run_again(request.environ) is not None:
        return answer  # it is not sent: the request runs again
    seconds = time.perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else "unmatched"
    method = request.method if request.method in _COUNTED_METHODS else "other"
    REQUEST_SECONDS.labels(method, route, answer.status_code).observe(seconds)
    # Without the query, which may contain numbers.
    _log.info(
        "request",
        method=method,
        route=route,
        status=answer.status_code,
        milliseconds=round(seconds * 1000, 1),
    )
    return answer
