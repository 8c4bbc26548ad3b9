"""Response headers in the description."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.kernel import errors as e

_REQUEST_ID = "X-Request-Id"
_RETRY = "Retry-After"
_CHALLENGE = "WWW-Authenticate"
_POLICY = "RateLimit-Policy"
_LIMIT = "RateLimit"

COMMON_HEADERS: dict[str, dict[str, Any]] = {
    _REQUEST_ID: {
        "description": "Finds the request in the log: yours if it had one, or else ours.",
        "required": True,
        "schema": {"type": "string"},
    },
    _RETRY: {
        "description": "Seconds to wait before asking again.",
        "schema": {"type": "integer"},
    },
    _POLICY: {
        "description": "The rate of the access key: q requests in a window of w seconds "
        "(draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
        "example": '"key";q=200;w=2',
    },
    _LIMIT: {
        "description": "What the access key has left: r requests; all of them in t seconds.",
        "schema": {"type": "string"},
        "example": '"key";r=199;t=1',
    },
    _CHALLENGE: {
        "description": "The scheme that is wanted.",
        "required": True,
        "schema": {"type": "string"},
    },
}


def success_headers(own: Mapping[str, str], *, is_keyed: bool) -> dict[str, dict[str, Any]]:
    """``is_keyed`` adds the rate limit."""
    described = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in own.items()
    }
    names = [_REQUEST_ID, *([_POLICY, _LIMIT] if is_keyed else [])]
    return {name: _reference(name) for name in names} | described


def error_headers(errors: Sequence[type[e.PublicError]]) -> dict[str, dict[str, Any]]:
    names = [_REQUEST_ID]
    if any(error.retry_after_seconds is not None for error in errors):
        names.append(_RETRY)
    if e.RateLimited in errors:
        names += [_POLICY, _LIMIT]
    if e.Unauthorized in errors:
        names.append(_CHALLENGE)
    return {name: _reference(name) for name in names}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/headers/{name}"}
