"""The floor of a send: a WSGI callable that only calls the SDK. It keeps nothing."""

import json
from collections.abc import Iterable
from typing import Any

from bench.apps.sdk import create


def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    given = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    sid = create(given["to_phone_number"], given["message"])
    body = json.dumps({"message_sid": sid}).encode()
    start("201 Created", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
