"""The OpenAPI description of the declared routes, the reference at ``/docs``, and ``/``."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Response, render_template, request
from marshmallow import Schema

from app.kernel import errors as e
from app.web.errors import HTTP_STATUS
from app.web.fields import StrictSchema
from app.web.health import Anyone
from app.web.openapi_examples import (
    COMMON_HEADERS,
    error_answers,
    error_examples,
    example_of,
    parameter_example,
    success_headers,
)
from app.web.registry import get_service
from app.web.requests import PublicPrefix
from app.web.routes import CachedResponse, Endpoint, Routes, Shape, cached_answer, html_answer

routes = Routes("Operations", ignores_unknown=True)
docs_routes = Routes("Operations", ignores_unknown=True)
front = Routes("Front", described=False)
DOCS = Path(__file__).parent / "static"
_ID = re.compile(r"\{(\w+)\}")
_KEYED = ("viewer", "sender", "admin", "owner")
_OF_KEYS = (e.Unauthorized, e.Forbidden, e.RateLimited)
_ALWAYS = (e.ServiceUnavailable, e.InternalError)
_OF_NO_BODY = (e.BadRequest, e.PayloadTooLarge, e.ValidationFailed)
_OF_BODIES = (*_OF_NO_BODY, e.UnsupportedMediaType)


class _Converter(OpenAPIConverter):
    def schema2jsonschema(self, schema: Schema) -> dict[str, Any]:
        shape: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        # Generated clients must accept new fields in answers.
        if not isinstance(schema, StrictSchema):
            shape.pop("additionalProperties", None)
        return shape


class SchemaPlugin(MarshmallowPlugin):
    Converter = _Converter


def either(own: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    """Describe a status that is the route's own answer or an error."""
    ours, theirs = (one["content"]["application/json"] for one in (own, error))
    document = {
        "schema": {"anyOf": [ours["schema"], theirs["schema"]]},
        "examples": {ours["schema"].__name__: {"value": ours["example"]}} | theirs["examples"],
    }
    return error | {
        "description": f"{own['description']} Or:\n\n{error['description']}",
        "content": {"application/json": document},
    }


def body_content(shape: Shape) -> dict[str, Any]:
    shapes = shape if isinstance(shape, tuple) else () if shape is None else (shape,)
    found: dict[str, Any] = {
        kind: {"schema": {"type": "object" if kind == "application/json" else "string"}}
        for kind in shapes
        if isinstance(kind, str)
    }
    documents = [one for one in shapes if not isinstance(one, str)]
    if len(documents) == 1:
        found["application/json"] = {"schema": documents[0], "example": example_of(documents[0])}
    elif documents:
        found["application/json"] = {
            "schema": {"anyOf": documents},
            "examples": {
                one.__name__: {"summary": meaning_of(one), "value": example_of(one)}
                for one in documents
            },
        }
    return {"content": found} if found else {}


def meaning_of(shape: Shape) -> str:
    if shape is None:
        return "Done."
    if isinstance(shape, tuple):
        return " Or: ".join(map(meaning_of, shape))
    return shape if isinstance(shape, str) else (shape.__doc__ or "").strip().replace("``", "`")


def describe(endpoints: Iterable[Endpoint], server: str) -> dict[str, Any]:
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
            "description": "The header `Authorization: AccessKey <token>`, where the token begins "
            "with `bp_`.",
        },
    )
    for name, header in COMMON_HEADERS.items():
        spec.components.header(name, header)
    for name, example in error_examples().items():
        spec.components.example(name, example)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in (one for one in endpoints if one.described):
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    for path, operations in paths.items():
        spec.path(path=path, operations=operations)
    return spec.to_dict()


def errors_of(endpoint: Endpoint) -> list[type[e.PublicError]]:
    found = [*endpoint.errors, *_ALWAYS]
    if endpoint.guard.rule in _KEYED:
        found += _OF_KEYS
    if endpoint.body is not None:
        found += _OF_BODIES
    elif endpoint.refuses_body:
        found += _OF_NO_BODY
    if endpoint.query is not None or not endpoint.ignores_unknown:
        found.append(e.ValidationFailed)
    if "{" in endpoint.path:
        found.append(e.BadRequest)
    return sorted(set(found), key=lambda error: (HTTP_STATUS[error], error.__name__))


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "description": f"Access: {endpoint.guard.rule}.",
        "parameters": _parameters(endpoint),
        "responses": _answers(endpoint),
    }
    if endpoint.alias_of is not None:
        operation["deprecated"] = True
        operation["description"] += f" An older name of {endpoint.alias_of}."
    operation["security"] = [{"accessKey": []}] if endpoint.guard.rule in _KEYED else []
    content = _body(endpoint)
    if content is not None:
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _body(endpoint: Endpoint) -> dict[str, Any] | None:
    if endpoint.body is not None:
        return body_content(endpoint.body)["content"]  # type: ignore[no-any-return]
    if endpoint.form is None:
        return None
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in endpoint.form}}
    form = {"schema": schema, "example": dict(endpoint.form)}
    return {"application/x-www-form-urlencoded": form}


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in _ID.findall(endpoint.path):
        schema = {"type": "string"} | ({"format": "uuid"} if name.endswith("_id") else {})
        parameter = {"name": name, "in": "path", "required": True, "schema": schema}
        example = parameter_example(name)
        found.append(parameter if example is None else parameter | {"example": str(example)})
    for name, text in endpoint.headers.items():
        schema = {"type": "string"}
        found.append({"name": name, "in": "header", "description": text, "schema": schema})
    if endpoint.query is not None:
        found.append({"in": "query", "schema": endpoint.query})
    return found


def _answers(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        str(status): {
            "description": meaning_of(shape),
            "headers": success_headers(
                endpoint.answer_headers, is_keyed=endpoint.guard.rule in _KEYED
            ),
        }
        | body_content(shape)
        for status, shape in endpoint.answers.items()
    }
    for status, answer in error_answers(endpoint, errors_of(endpoint)).items():
        found[status] = either(found[status], answer) if status in found else answer
    return found


def _operation_id(endpoint: Endpoint) -> str:
    first, *rest = endpoint.view.__name__.split("_")
    if endpoint.alias_of is not None:
        rest += ["as", endpoint.path.rpartition("/")[2]]
    return first + "".join(map(str.capitalize, rest))


def _name(schema: Any) -> str:
    found = schema if isinstance(schema, type) else type(schema)
    return str(found.__name__)


class Description:
    def __init__(self, endpoints: Iterable[Endpoint], server: str) -> None:
        self._endpoints = endpoints
        self._server = server

    @cached_property
    def document(self) -> dict[str, Any]:
        return describe(self._endpoints, self._server)

    @cached_property
    def compressed(self) -> CachedResponse:
        return CachedResponse(json.dumps(self.document).encode(), "application/json")


@routes.add(
    "GET",
    "/openapi.json",
    Anyone("the description is no secret"),
    {200: "application/json"},
    answer_headers={"ETag": "Changes with the description"},
)
def openapi(_: None) -> Response:
    """Show the OpenAPI description of this API."""
    return cached_answer(get_service(Description).compressed, cache="no-store")


@docs_routes.add("GET", "/docs", Anyone("the reference is no secret"), {200: "text/html"})
def docs(_: None) -> Response:
    """Show the API reference."""
    document = get_service(Description).document
    sections: dict[str, list[tuple[str, str, Any]]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            sections[operation["tags"][0]].append((path, method, operation))
    prefix = get_service(PublicPrefix)
    page = render_template(
        "docs.html",
        info=document["info"],
        sections=sections,
        description=prefix.path("/openapi.json"),
        base=prefix.path("/"),
    )
    return html_answer(page)


@front.add("GET", "/", Anyone("pages guard themselves"), {303: None}, errors=(e.NotFound,))
def find_pages(_: None) -> Response:
    """Lead a browser to the console."""
    prefix = get_service(PublicPrefix)
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) != "text/html":
        raise e.NotFound(f"There is no resource here. {prefix.path('/docs')} describes the API.")
    location = prefix.path("/console")
    return Response(status=303, headers={"Location": location, "Vary": "Accept"})
