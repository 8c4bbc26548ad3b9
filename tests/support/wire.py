"""Requests as a server hands them to the application: with the target as it came over the wire."""

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode

from werkzeug.wrappers import Response

FORM = "application/x-www-form-urlencoded"
FormItems = list[tuple[str, str]]


def form_of(parameters: Mapping[str, str | list[str]]) -> FormItems:
    """Spread repeated parameters; values keep their order."""
    return [
        (name, value)
        for name, values in parameters.items()
        for value in ([values] if isinstance(values, str) else values)
    ]


def post_raw(
    app: Any,
    target: str,
    body: bytes | FormItems,
    *,
    signature: str | None = None,
    content_type: str = FORM,
    host: str = "10.0.0.5:8000",
    **headers: str,
) -> Response:
    """Post to a target that is not unescaped, normalised or completed on the way."""
    data = body if isinstance(body, bytes) else urlencode(body).encode()
    raw = target.encode().decode("latin-1")
    path, _, query = raw.partition("?")
    if not path.startswith("/"):  # absolute form: the server takes scheme and host off
        path = "/" + path.partition("://")[2].partition("/")[2]
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": raw,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "gateway",
        "SERVER_PORT": "8000",
        "HTTP_HOST": host,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(data)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(data),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    given = headers if signature is None else headers | {"X_Twilio_Signature": signature}
    environ |= {f"HTTP_{name.upper()}": value for name, value in given.items()}
    return Response.from_app(app, environ, buffered=True)
