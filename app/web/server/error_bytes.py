"""Error answers to malformed requests, without the application."""

import json
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import (
    ChunkMissingTerminator,
    ExpectationFailed,
    InvalidChunkExtension,
    InvalidChunkSize,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)

from app.kernel.errors import BadRequest, InternalError, PayloadTooLarge, PublicError
from app.web.errors import HTTP_STATUS
from app.web.requests import headers_of, request_id_of
from app.web.server.request_reader import MAX_CHUNKS, TooManyChunks


class RequestTimeout(Exception):
    """A request did not arrive in time."""


# The text never repeats the client's bytes, which may contain a number.
_TEXTS: dict[type[Exception], tuple[int, str]] = {
    RequestTimeout: (408, "The request did not arrive in time."),
    LimitRequestLine: (414, "The request line is too long."),
    LimitRequestHeaders: (431, "The request headers are too large."),
    ExpectationFailed: (417, "The only expectation that is supported is 100-continue."),
    TooManyChunks: (400, f"The body has too many chunks: {MAX_CHUNKS} at most."),
    InvalidChunkSize: (400, "The chunked body is malformed."),
    ChunkMissingTerminator: (400, "The chunked body is malformed."),
    InvalidChunkExtension: (400, "The chunked body is malformed."),
}


def error_bytes(error: BaseException, request: Any | None, app: object) -> bytes:
    """Write the whole HTTP answer to an error, which closes the connection.

    ``request`` is gunicorn's, if its head was readable; ``app`` has the common headers.
    """
    status, public = _public_of(error)
    body = json.dumps({"code": public.code, "message": public.text}).encode()
    headers = {
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        "Date": formatdate(usegmt=True),
        "X-Request-Id": str(request_id_of(_header(request, "X-REQUEST-ID"))),
        **headers_of(app),
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    is_head = getattr(request, "method", None) == "HEAD"
    return head if is_head else head + body


def _public_of(error: BaseException) -> tuple[int, PublicError]:
    if isinstance(error, PayloadTooLarge):
        return HTTP_STATUS[PayloadTooLarge], error
    for kind, (status, text) in _TEXTS.items():
        if isinstance(error, kind):
            return status, BadRequest(text)
    if isinstance(error, ParseException):
        return 400, BadRequest("The request is not valid HTTP.")
    return 500, InternalError()


def _header(request: Any | None, name: str) -> str:
    headers = [] if request is None else request.headers
    return next((value for found, value in headers if found == name), "")
