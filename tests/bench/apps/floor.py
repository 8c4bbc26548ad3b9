"""The floor of a status callback: a WSGI callable, the signature, one statement."""

import base64
import hashlib
import hmac
import os
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from bench.apps.store import apply_status

_SIGNED = hmac.new(
    os.environ["BENCH_AUTH_TOKEN"].encode(), os.environ["BENCH_PUBLIC_URL"].encode(), hashlib.sha1
)


def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    form = parse_qsl(raw, keep_blank_values=True)
    signed = _SIGNED.copy()
    signed.update(environ["RAW_URI"].encode())
    signed.update("".join(name + value for name, value in sorted(form)).encode())
    given = environ.get("HTTP_X_TWILIO_SIGNATURE", "").encode()
    if not hmac.compare_digest(base64.b64encode(signed.digest()), given):
        start("403 Forbidden", [("Content-Length", "0")])
        return [b""]
    values = dict(form)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    apply_status(values["MessageSid"], values["MessageStatus"], raw, at)
    start("204 No Content", [])
    return []
