"""Reads bodies, queries and headers of a change; problems are reported by JSON path."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from flask import request
from marshmallow import Schema, ValidationError
from werkzeug.sansio.utils import get_content_length

from app.kernel import errors as e
from app.kernel.texts import UNSTORABLE, is_storable
from app.web.dispatch import current_request

MAX_BODY_BYTES = 64 * 1024
_ROOT = "$"
_JSON = "borderpost.json"
_MAX_REASON = 500
CHANGE_HEADERS = {
    "If-Match": "The revision that the change is meant for, quoted; another answers 412",
    "X-Change-Reason": f"Why, for the history; at most {_MAX_REASON} characters",
}
# A number or an offset of which an unescaped + has become a space.
_LOST_PLUS = re.compile(r" [1-9]\d+|.+T.+ \d\d:\d\d", re.ASCII)
_REVISIONS = re.compile(r'\s*"(0|[1-9]\d{0,8})"\s*', re.ASCII)


def read_body(schema: type[Schema]) -> Any:
    """Raises `BadRequest`, `UnsupportedMediaType`, `PayloadTooLarge` or `ValidationFailed`."""
    return load(_made(schema), read_json())


def read_query(schema: type[Schema]) -> Any:
    """Raises `ValidationFailed`."""
    given = request.args.to_dict(flat=False)
    problems = e.Problems()
    for name, values in given.items():
        if len(values) > 1:
            problems.add(f"{_ROOT}.{name}", "Given more than once.")
    first = {name: values[0] for name, values in given.items()}
    found = problems.catch(lambda: load(_made(schema), first))
    for path in problems.found():
        if _LOST_PLUS.fullmatch(first.get(path.removeprefix(f"{_ROOT}."), "")):
            problems.add(path, "In a query, + is written %2B.")
    problems.refuse()
    return found


def read_json() -> Any:
    """Parse the request body as JSON, without ambiguous input; later calls return the same."""
    environ = current_request().environ
    if _JSON not in environ:
        if media_type(environ) != "application/json":
            raise e.UnsupportedMediaType("The body must be JSON: Content-Type: application/json.")
        environ[_JSON] = _decode(read_bytes(environ))
    return environ[_JSON]


def refuse_fields(no_fields: type[Schema]) -> None:
    """Refuse a body with fields, of any type."""
    raw = read_bytes(current_request().environ)
    if raw.strip():
        load(_made(no_fields), _decode(raw) or {})


def _decode(raw: bytes) -> Any:
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise e.BadRequest("The body is not valid UTF-8.") from problem
    except RecursionError as problem:
        raise e.BadRequest("The body is nested too deeply.") from problem
    except ValueError as problem:
        if isinstance(problem, _Refused):
            raise e.BadRequest(str(problem)) from problem
        raise e.BadRequest("The body is not valid JSON.") from problem


def media_type(environ: dict[str, Any]) -> str:
    """Without its parameters."""
    given: str = environ.get("CONTENT_TYPE", "")
    return given.partition(";")[0].strip().lower()


def read_bytes(environ: dict[str, Any]) -> bytes:
    """Without Werkzeug's streams, which cost more than parsing. Raises `PayloadTooLarge`."""
    wanted = MAX_BODY_BYTES + 1
    if not environ.get("wsgi.input_terminated"):
        wanted = min(wanted, get_content_length(environ.get("CONTENT_LENGTH")) or 0)
    raw: bytes = environ["wsgi.input"].read(wanted)
    if len(raw) > MAX_BODY_BYTES:
        raise e.PayloadTooLarge
    return raw


class _Refused(ValueError):
    """JSON that Python accepts and the API refuses; the text is safe to show."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("An object in the body has the same key twice.")
    return found


def _no_constant(_name: str) -> Any:
    raise _Refused("The body holds NaN or Infinity, which is not JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


@cache
def _made(schema: type[Schema]) -> Schema:
    return schema()


def load(schema: Schema, value: Any) -> Any:
    """Load a value; raises `ValidationFailed` with every problem by JSON path."""
    unstorable = _unstorable(value)
    try:
        found = schema.load(value)
    except ValidationError as problem:
        raise e.ValidationFailed(unstorable | flatten(problem.messages)) from problem
    if unstorable:
        raise e.ValidationFailed(unstorable)
    return found


def _unstorable(value: Any, path: str = _ROOT) -> dict[str, list[str]]:
    if isinstance(value, str):
        return {} if is_storable(value) else {path: [UNSTORABLE]}
    inner: Iterable[tuple[object, Any]] = ()
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    found: dict[str, list[str]] = {}
    for key, one in inner:
        place = _step(path, key)
        found |= _unstorable(one, place)
        if not is_storable(str(key)):
            found[place] = [UNSTORABLE]
    return found


def flatten(messages: Any, path: str = _ROOT) -> dict[str, list[str]]:
    """Turn marshmallow's tree of messages into ``{JSON path: [messages]}``."""
    if isinstance(messages, list):
        return {path: [str(message) for message in messages]}
    if not isinstance(messages, Mapping):
        return {path: [str(messages)]}
    found: dict[str, list[str]] = {}
    for key, inner in messages.items():
        for place, texts in flatten(inner, _step(path, key)).items():
            found.setdefault(place, []).extend(texts)
    return found


def _step(path: str, key: object) -> str:
    if key == "_schema":
        return path
    return f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"


def change_reason() -> str | None:
    """Raises `BadRequest`."""
    given = request.headers.get("X-Change-Reason", "").strip()
    text = given.encode("latin-1", "replace").decode("utf-8", "replace")
    if len(text) > _MAX_REASON:
        raise e.BadRequest(f"X-Change-Reason must have at most {_MAX_REASON} characters.")
    return text or None


def required_revisions() -> frozenset[int] | None:
    """Read ``If-Match``; None without a condition. Invalid values match no revision."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    found = (_REVISIONS.fullmatch(one) for one in given.split(","))
    return frozenset(int(one.group(1)) for one in found if one is not None)
