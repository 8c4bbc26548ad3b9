"""The description of the API, made from the declared routes, so that it cannot drift from them."""

import re
from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import version
from typing import Any

from apispec import APISpec

from app.kernel import errors as e
from app.web.errors import HTTP_STATUS
from app.web.health import Anyone
from app.web.openapi_shapes import SchemaPlugin
from app.web.routes import Answer, Endpoint, Routes, Shape, json_answer
from app.web.schemas import Error
from app.web.wiring import service

routes = Routes("Operations")
_ID = re.compile(r"\{(\w+)\}")
_KEYED = ("viewer", "sender", "admin", "owner")
_OF_KEYS = (e.Unauthorized, e.Forbidden)
_ALWAYS = (e.ServiceUnavailable, e.InternalError)
_OF_BODIES = (e.BadRequest, e.PayloadTooLarge, e.UnsupportedMediaType, e.ValidationFailed)


def describe(endpoints: Iterable[Endpoint], server: str) -> dict[str, Any]:
    """Write the OpenAPI 3.0.3 description of the routes."""
    spec = APISpec(
        title="Borderpost",
        version=version("borderpost"),
        openapi_version="3.0.3",
        plugins=[SchemaPlugin(schema_name_resolver=_name)],
        info={"description": "A self-hosted SMS gateway over Twilio with destination policies."},
        servers=[{"url": server}],
    )
    spec.components.security_scheme(
        "accessKey",
        {
            "type": "http",
            "scheme": "AccessKey",
            "description": "Authorization: AccessKey <token>",
        },
    )
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in (one for one in endpoints if one.described):
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    for path, operations in paths.items():
        spec.path(path=path, operations=operations)
    return spec.to_dict()


def errors_of(endpoint: Endpoint) -> list[type[e.PublicError]]:
    """List every error that a route can answer, its own and those of its declaration."""
    found = [*endpoint.errors, *_ALWAYS]
    if endpoint.guard.rule in _KEYED:
        found += _OF_KEYS
    if endpoint.body is not None:
        found += _OF_BODIES
    if endpoint.query is not None:
        found.append(e.ValidationFailed)
    if "{" in endpoint.path:
        found.append(e.BadRequest)
    return sorted(set(found), key=lambda error: (HTTP_STATUS[error], error.__name__))


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _camel(endpoint.view.__name__),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "description": f"Access: {endpoint.guard.rule}.",
        "parameters": _parameters(endpoint),
        "responses": _answers(endpoint),
    }
    operation["security"] = [{"accessKey": []}] if endpoint.guard.rule in _KEYED else []
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": endpoint.body.schema}},
        }
    if endpoint.form:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
        }
    return operation


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in _ID.findall(endpoint.path):
        schema = {"type": "string"} | ({"format": "uuid"} if name.endswith("_id") else {})
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    for name, text in endpoint.headers.items():
        schema = {"type": "string"}
        found.append({"name": name, "in": "header", "description": text, "schema": schema})
    if endpoint.query is not None:
        found.append({"in": "query", "schema": endpoint.query.schema})
    return found


def _answers(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, shape in endpoint.answers.items():
        found[str(status)] = {"description": _description(shape)} | _content(shape)
    by_status: dict[int, list[str]] = {}
    for error in errors_of(endpoint):
        by_status.setdefault(HTTP_STATUS[error], []).append(error.__name__)
    for status, codes in by_status.items():
        if str(status) not in found:
            found[str(status)] = {"description": ", ".join(codes)} | _content(Error)
    return found


def _content(shape: Shape) -> dict[str, Any]:
    shapes = shape if isinstance(shape, tuple) else () if shape is None else (shape,)
    found: dict[str, Any] = {
        kind: {"schema": {"type": "object" if kind == "application/json" else "string"}}
        for kind in shapes
        if isinstance(kind, str)
    }
    documents = [one for one in shapes if not isinstance(one, str)]
    if documents:
        schema = documents[0] if len(documents) == 1 else {"anyOf": documents}
        found["application/json"] = {"schema": schema}
    return {"content": found} if found else {}


def _description(shape: Shape) -> str:
    if shape is None:
        return "Done."
    if isinstance(shape, tuple):
        return " Or: ".join(map(_description, shape))
    return shape if isinstance(shape, str) else (shape.__doc__ or "").strip()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _name(schema: Any) -> str:
    found = schema if isinstance(schema, type) else type(schema)
    return str(found.__name__)


class Description:
    """The description of one application, written at the first request for it."""

    def __init__(self, endpoints: Iterable[Endpoint], server: str) -> None:
        self._endpoints = endpoints
        self._server = server

    @cached_property
    def document(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return describe(self._endpoints, self._server)


@routes.add(
    "GET",
    "/openapi.json",
    guard=Anyone("the description is no secret"),
    answers={200: "application/json"},
)
def openapi(_: None) -> Answer:
    """Show the OpenAPI description of this API."""
    return json_answer(service(Description).document)
