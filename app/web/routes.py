"""Declaration of routes: access rule, schemas and errors in one place.

The request, the API description and the architecture tests use the declaration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from flask import Blueprint, Response, json, make_response
from marshmallow import Schema

from app.kernel.errors import BadRequest, PublicError
from app.kernel.ids import parse_id
from app.web.bodies import JsonBody, Query

Answer = Response
# The content of an answer: a JSON schema, a media type, nothing, or one of several.
Shape: TypeAlias = type[Schema] | str | tuple[type[Schema] | str, ...] | None


class Guard(Protocol):
    """Checks a request and returns its principal."""

    @property
    def rule(self) -> str:
        """The access rule: a role, or why none is needed."""

    def __call__(self) -> object:
        """Return the principal, or raise a public error."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One declared route.

    ``form`` maps form fields to examples; ``headers`` and ``answer_headers`` map names to
    descriptions.
    """

    method: str
    path: str
    guard: Guard
    tag: str
    summary: str
    view: Callable[..., Any]
    body: JsonBody[Any] | None = None
    query: Query[Any] | None = None
    form: Mapping[str, str] | None = None
    answers: Mapping[int, Shape] = field(default_factory=dict)
    errors: tuple[type[PublicError], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    described: bool = True
    alias_of: str | None = None


class Routes:
    """The routes of one feature; console pages are not part of the API description."""

    def __init__(
        self,
        tag: str,
        *,
        described: bool = True,
        answer_headers: Mapping[str, str] | None = None,
    ) -> None:
        self.tag = tag
        self.described = described
        self.answer_headers = answer_headers or {}
        self.endpoints: list[Endpoint] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        guard: Guard,
        body: JsonBody[Any] | None = None,
        query: Query[Any] | None = None,
        form: Mapping[str, str] | None = None,
        answers: Mapping[int, Shape],
        errors: tuple[type[PublicError], ...] = (),
        headers: Mapping[str, str] | None = None,
        answer_headers: Mapping[str, str] | None = None,
        aliases: tuple[str, ...] = (),
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare a route; the view gets the guard's result, then the ids of the path.

        ``aliases`` are older paths of the same view; they are described as deprecated.
        """

        def declare(view: Callable[..., Any]) -> Callable[..., Any]:
            summary = (view.__doc__ or view.__name__).strip().splitlines()[0]
            endpoint = Endpoint(
                method=method,
                path=path,
                guard=guard,
                tag=self.tag,
                summary=summary,
                view=view,
                body=body,
                query=query,
                form=form,
                answers=answers,
                errors=errors,
                headers=headers or {},
                answer_headers={**self.answer_headers, **(answer_headers or {})},
                described=self.described,
            )
            self.endpoints.append(endpoint)
            self.endpoints += [replace(endpoint, path=old, alias_of=path) for old in aliases]
            return view

        return declare

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint(self.tag, __name__)
        for place, endpoint in enumerate(self.endpoints):
            rule = endpoint.path.replace("{", "<").replace("}", ">")
            blueprint.add_url_rule(
                rule,
                endpoint=f"{endpoint.view.__name__}_{place}",
                view_func=_guarded(endpoint),
                methods=[endpoint.method],
                provide_automatic_options=False,
            )
        return blueprint


def _guarded(endpoint: Endpoint) -> Callable[..., Response]:
    @wraps(endpoint.view)
    def serve(**path: str) -> Response:
        caller = endpoint.guard()
        ids = {name: _path_value(name, value) for name, value in path.items()}
        return make_response(endpoint.view(caller, **ids))

    return serve


def _path_value(name: str, value: str) -> UUID | str:
    if not name.endswith("_id"):
        return value
    found = parse_id(value)
    if found is None:
        raise BadRequest(f"{name} in the path is not a UUID.")
    return found


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return json_text_answer(json.dumps(value), status, headers)


def json_text_answer(
    text: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    answer = Response(text, status=status, mimetype="application/json")
    answer.headers.update(headers or {})
    return answer
