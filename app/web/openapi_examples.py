"""Examples, errors and headers of the API's description.

A field's own example is in its metadata; otherwise name and type decide; nullable fields are null.
Ids, numbers and times are always the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marshmallow import Schema, fields, validate

from app.kernel import errors as e
from app.web.errors import HTTP_STATUS
from app.web.routes import Endpoint

_OWN_ID = "01990b4e-5d2c-7a1b-8c3d-2f6e4a9b7c10"
_AT = "2026-01-09T10:11:12.000Z"
_BY_NAME: dict[str, Any] = {
    "id": _OWN_ID,
    "organization_id": "5a3d8cf1-3aaf-4b56-a2e0-260b28c0a0d0",
    "organizationId": "5a3d8cf1-3aaf-4b56-a2e0-260b28c0a0d0",
    "workspace_id": "e9d00796-afb3-458e-ad85-64a1bdefe3aa",
    "workspaceId": "e9d00796-afb3-458e-ad85-64a1bdefe3aa",
    "owner_workspace_id": "e9d00796-afb3-458e-ad85-64a1bdefe3aa",
    "use_case_id": "0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001",
    "capability": "sms",
    "capabilityName": "sms",
    "country": "US",
    "home_country": "US",
    "number": "+12025550123",
    "to_number": "+12025550123",
    "to_phone_number": "+12025550123",
    "account_sid": "AC" + "0" * 32,
    "messaging_service_sid": "MG" + "0" * 32,
    "message_sid": "SM" + "0" * 32,
    "url": "https://hooks.example.com/sms",
    "revision": 7,
    "from_revision": 6,
    "restored_revision": None,
    "name": "Retail",
    "reason": "The campaign in Canada starts",
}
_BY_KIND: tuple[tuple[type[fields.Field[Any]], Any], ...] = (
    (fields.UUID, _OWN_ID),
    (fields.Date, _AT[:10]),
    (fields.DateTime, _AT),
    (fields.Boolean, True),
    (fields.Integer, 1),
    (fields.Dict, {}),
)
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
    _RETRY: {"description": "Seconds to wait before asking again.", "schema": {"type": "integer"}},
    _POLICY: {
        "description": "The rate of the access key: q requests in a window of w seconds "
        "(draft-ietf-httpapi-ratelimit-headers). A 429 also names the limit that was met.",
        "schema": {"type": "string"},
        "example": '"key";q=200;w=2',
    },
    _LIMIT: {
        "description": "The requests that are left: r now, all of them in t seconds.",
        "schema": {"type": "string"},
        "example": '"key";r=199;t=1',
    },
    _CHALLENGE: {
        "description": "The scheme that is wanted.",
        "required": True,
        "schema": {"type": "string"},
    },
}


class Error(Schema):
    """Every error of the API."""

    code = fields.String(
        required=True,
        metadata={"description": "Names the error; programs decide by it", "example": "NotFound"},
    )
    message = fields.String(
        required=True,
        metadata={"description": "Says it to people", "example": "There is no such resource."},
    )
    details = fields.Dict(
        metadata={
            "description": "What else is known. Of ValidationFailed: JSON paths, each with a list "
            "of messages"
        }
    )


def example_of(schema: type[Schema]) -> dict[str, Any]:
    """Optional request fields are left out."""
    found = {}
    for name, field in schema().fields.items():
        if field.required or "example" in field.metadata:
            found[field.data_key or name] = _value(name, field)
    return found


def parameter_example(name: str) -> Any:
    return _BY_NAME.get(name, _OWN_ID if name.endswith("_id") else None)


def _value(name: str, field: fields.Field[Any]) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    if isinstance(field, fields.Nested):
        return example_of(type(field.schema))
    if isinstance(field, fields.List):
        return [_value(name, field.inner)]
    return _plain_value(name, field)


def _plain_value(name: str, field: fields.Field[Any]) -> Any:
    choices = [one.choices for one in field.validators if isinstance(one, validate.OneOf)]
    if field.allow_none and (choices or name not in _BY_NAME):
        return None
    if choices:
        return next(iter(choices[0]))
    of_kind = (example for kind, example in _BY_KIND if isinstance(field, kind))
    return _BY_NAME.get(name, next(of_kind, name))


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


Errors = Iterable[type[e.PublicError]]

_DETAILS: dict[type[e.PublicError], Mapping[str, Any]] = {
    e.DestinationBlocked: {
        "source": "policy",
        "country": "BR",
        "rule": "country",
        "scope": "workspace",
        "revision": 7,
        "retryable": False,
    },
    e.GuardTripped: {
        "guard": "number",
        "window": "hour",
        "scope": "workspace",
        "limit": 10,
        "count": 10,
        "country": "US",
        "resets_at": "2026-01-31T12:34:00.000Z",
        "retryable": True,
    },
    e.MessageRejected: {"provider_code": 21612},
    e.SubmissionUnconfirmed: {"id": parameter_example("id")},
}


def error_examples() -> dict[str, dict[str, Any]]:
    return {
        error.__name__: _example(error, _DETAILS.get(error))
        for error in HTTP_STATUS
        if error is not e.ValidationFailed
    }


def error_answers(endpoint: Endpoint, errors: Errors) -> dict[str, dict[str, Any]]:
    by_status: dict[int, list[type[e.PublicError]]] = {}
    for error in errors:
        by_status.setdefault(HTTP_STATUS[error], []).append(error)
    return {
        str(status): {
            "description": "\n".join(f"- `{one.__name__}`: {_meaning(one)}" for one in of_status),
            "headers": error_headers(of_status),
            "content": {
                "application/json": {
                    "schema": Error,
                    "examples": {one.__name__: _shown(endpoint, one) for one in of_status},
                }
            },
        }
        for status, of_status in by_status.items()
    }


def _meaning(error: type[e.PublicError]) -> str:
    return " ".join((error.__doc__ or "").split()).replace("``", "`")


def _shown(endpoint: Endpoint, error: type[e.PublicError]) -> dict[str, Any]:
    if error is e.ValidationFailed:
        return _example(error, _problems(endpoint))
    return {"$ref": f"#/components/examples/{error.__name__}"}


def _example(error: type[e.PublicError], details: Mapping[str, Any] | None) -> dict[str, Any]:
    value: dict[str, Any] = {"code": error.__name__, "message": error.message}
    if details is not None:
        value["details"] = dict(details)
    return {"summary": _meaning(error), "value": value}


def _problems(endpoint: Endpoint) -> dict[str, list[str]]:
    if endpoint.body is not None:
        for name, field in endpoint.body().fields.items():
            if field.required:
                return {f"$.{name}": [str(fields.Field.default_error_messages["required"])]}
    if endpoint.body is not None or endpoint.query is not None:
        return {"$.unknown": ["Unknown field."]}
    return {"$": ["This is not possible in the current state."]}
