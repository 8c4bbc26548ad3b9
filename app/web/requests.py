"""Handling around every request: id, log line, security headers, limits, prefix, peer."""

import ipaddress
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

import structlog
from flask import Flask, has_request_context, request
from prometheus_client import Histogram

from app.kernel.ids import random_bits
from app.web.bodies import MAX_BODY_BYTES
from app.web.dispatch import current_request
from app.web.logs import begin_line
from app.web.metrics import REQUEST_SECONDS
from app.web.waiting import condition_to_run_again

_log = structlog.get_logger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
# Unknown methods are not labels: each label value is kept forever.
_COUNTED_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
_NETWORK_BITS = 64

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
_REQUEST_ID_KEY = "borderpost.request_id"
_Start = Callable[..., Callable[[bytes], object]]


def install_request_handling(app: Flask, *, is_https: bool) -> None:
    headers = API_HEADERS | (_HSTS if is_https else {})
    app.extensions[_HEADERS] = headers
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.wsgi_app = _Handling(app.wsgi_app, headers)  # type: ignore[method-assign]


class _Handling:
    """Gives each request its id, its log line, and the headers that its answer does not set.

    It runs below Flask, because Flask's hooks and answers take many more calls.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower(), (name, value)) for name, value in headers.items()]

    def __call__(self, environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
        started = time.perf_counter()
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
        environ[_REQUEST_ID_KEY] = text = str(request_id)
        begin_line(request_id=request_id)

        def start(status: str, given: list[tuple[str, str]], *exc_info: object) -> object:
            if condition_to_run_again(environ) is None:  # otherwise it is not sent
                _note(environ, int(status[:3]), time.perf_counter() - started)
            names = {name.lower() for name, _ in given}
            added = [header for name, header in self._headers if name not in names]
            return start_response(status, [*given, ("X-Request-Id", text), *added], *exc_info)

        return self._app(environ, start)


def headers_of(app: object) -> Mapping[str, str]:
    found: Mapping[str, str] = getattr(app, "extensions", {}).get(_HEADERS, API_HEADERS)
    return found


def request_id_of(given: str) -> str | uuid.UUID:
    return given if _REQUEST_ID.fullmatch(given) else uuid.UUID(int=random_bits(128), version=4)


def current_request_id() -> str:
    """Return an empty text outside of a request."""
    return str(request.environ.get(_REQUEST_ID_KEY, "")) if has_request_context() else ""


def _note(environ: dict[str, Any], status: int, seconds: float) -> None:
    """Count a request and log its line, without the query, which may contain numbers."""
    rule, method = environ["werkzeug.request"].url_rule, environ["REQUEST_METHOD"]
    route = "unmatched" if rule is None else rule.rule
    method = method if method in _COUNTED_METHODS else "other"
    _seconds_of(method, route, status).observe(seconds)
    milliseconds = round(seconds * 1000, 1)
    _log.info("request", method=method, route=route, status=status, milliseconds=milliseconds)


@cache
def _seconds_of(method: str, route: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method, route, status)


def peer_address() -> str:
    """Return "local" for a local socket; clients can set forwarding headers: they do not count."""
    return current_request().remote_addr or "local"


def address_group(address: str) -> str:
    """Return the range of one subscriber: an IPv4 address, or an IPv6 /64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))
    return str(found)


class PrefixMiddleware:
    """Serves the same paths with and without the prefix, which a proxy may strip or keep."""

    def __init__(self, app: Callable[..., Iterable[bytes]], prefix: str) -> None:
        self._app = app
        self._as_configured = prefix
        self._prefix = unquote(prefix, encoding="latin-1")  # as WSGI decodes paths

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        # Links need the prefix also if a proxy has stripped it.
        environ["SCRIPT_NAME"] = self._as_configured
        if self._prefix and f"{path}/".startswith(self._prefix + "/"):
            environ["PATH_INFO"] = path[len(self._prefix) :] or "/"
            environ["borderpost.stripped_prefix"] = self._as_configured
        return self._app(environ, start_response)


@dataclass(frozen=True, slots=True)
class PublicPrefix:
    """Without a slash at its end."""

    text: str

    def path(self, path: str) -> str:
        return self.text + path
