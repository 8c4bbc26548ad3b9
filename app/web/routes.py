"""Declaration of routes: access rule, schemas and errors in one place."""

import csv
import gzip
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial, wraps
from itertools import chain
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable
from uuid import UUID

from flask import Blueprint, Response, json, request
from marshmallow import Schema

from app.kernel.errors import BadRequest, Problems, PublicError
from app.kernel.ids import parse_id
from app.web.bodies import read_body, read_query, refuse_fields
from app.web.dispatch import current_request
from app.web.fields import StrictSchema

Answer = Response
Json: TypeAlias = dict[str, Any]
V = TypeVar("V", bound=Callable[..., Any])
# The content of an answer: a JSON schema, a media type, nothing, or one of several.
Shape: TypeAlias = type[Schema] | str | tuple[type[Schema] | str, ...] | None
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_LARGEST_FILE = 8 * 1024 * 1024


class BufferedAnswer(Response):
    """A response in memory, sent as it is: Werkzeug would copy and check its headers again."""

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "HEAD" or not isinstance(self.response, list):
            return super().__call__(environ, start_response)  # type: ignore[arg-type]
        start_response(self.status, list(self.headers))
        return self.response


class Guard(Protocol):
    @property
    def rule(self) -> str:
        """The access rule: a role, or why none is needed."""

    def __call__(self) -> object:
        """Return the principal, or raise a public error."""


@runtime_checkable
class LateGuard(Guard, Protocol):
    """A guard whose view admits the principal itself."""

    def admit(self, caller: Any) -> object:
        """Admit the caller now, because the request has another problem."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``form`` maps fields to examples; ``headers`` and ``answer_headers`` map names to texts."""

    method: str
    path: str
    guard: Guard
    tag: str
    summary: str
    view: Callable[..., Any]
    body: type[Schema] | None = None
    query: type[Schema] | None = None
    form: Mapping[str, str] | None = None
    answers: Mapping[int, Shape] = field(default_factory=dict)
    errors: tuple[type[PublicError], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    described: bool = True
    ignores_unknown: bool = False
    alias_of: str | None = None
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def refuses_body(self) -> bool:
        takes_one = self.body is not None or self.form is not None
        return self.method != "GET" and not takes_one and not self.ignores_unknown


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes of one feature; console pages are not described.

    ``words`` are parts of a path with a single value; another value is a bad request. A described
    route without ``query`` or ``body`` refuses their fields, unless it ``ignores_unknown``.
    """

    tag: str
    described: bool = True
    ignores_unknown: bool = False
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    endpoints: list[Endpoint] = field(default_factory=list, init=False)

    def add(
        self,
        method: str,
        path: str,
        guard: Guard,
        answers: Mapping[int, Shape],
        *,
        body: type[Schema] | None = None,
        query: type[Schema] | None = None,
        form: Mapping[str, str] | None = None,
        errors: tuple[type[PublicError], ...] = (),
        headers: Mapping[str, str] | None = None,
        answer_headers: Mapping[str, str] | None = None,
        aliases: tuple[str, ...] = (),
    ) -> Callable[[V], V]:
        """Declare a route.

        The view gets the guard's result, and by name the values of the path and the loaded
        ``body`` and ``query``. It returns a response, or the content of the first status: a
        JSON document, or None. ``aliases`` are older, deprecated paths.
        """

        def declare(view: V) -> V:
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
                ignores_unknown=self.ignores_unknown or not self.described,
                words=self.words,
            )
            self.endpoints.append(endpoint)
            self.endpoints.extend(replace(endpoint, path=old, alias_of=path) for old in aliases)
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


class _NoFields(StrictSchema):
    """A query or body without fields."""


def _guarded(endpoint: Endpoint) -> Callable[..., Response]:
    status = next(iter(endpoint.answers))

    @wraps(endpoint.view)
    def serve(**path: str) -> Response:
        caller = endpoint.guard()
        try:
            given: dict[str, Any] = _path_values(endpoint, path)
            problems = Problems()
            if endpoint.body is not None:
                given["body"] = problems.catch(partial(read_body, endpoint.body))
            elif endpoint.refuses_body:
                problems.catch(partial(refuse_fields, _NoFields))
            if endpoint.query is not None:
                given["query"] = problems.catch(partial(read_query, endpoint.query))
            elif not endpoint.ignores_unknown and current_request().environ.get("QUERY_STRING", ""):
                problems.catch(partial(read_query, _NoFields))
            problems.refuse()
        except PublicError:
            if isinstance(endpoint.guard, LateGuard):
                endpoint.guard.admit(caller)
            raise
        answer = endpoint.view(caller, **given)
        if isinstance(answer, Response):
            return answer
        return BufferedAnswer(status=status) if answer is None else json_answer(answer, status)

    return serve


def _path_values(endpoint: Endpoint, path: Mapping[str, str]) -> dict[str, Any]:
    for name, word in endpoint.words.items():
        if path.get(name, word) != word:
            raise BadRequest(f"There is no {name} of this name; there is {word!r}.")
    return {
        name: _path_value(name, value) for name, value in path.items() if name not in endpoint.words
    }


def _path_value(name: str, value: str) -> UUID | str:
    if not name.endswith("_id"):
        return value
    found = parse_id(value)
    if found is None:
        raise BadRequest(f"{name} in the path is not a UUID.")
    return found


def html_answer(text: str, status: int = 200) -> Response:
    answer = Response(text, status=status, content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return answer


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return json_text_answer(json.dumps(value), status, headers)


def json_text_answer(
    text: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    answer = BufferedAnswer(text, status=status, mimetype="application/json")
    answer.headers.update(headers or {})
    return answer


def csv_answer(name: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> Response:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in chain([columns], rows):
        writer.writerow(row)
        if buffer.tell() > _LARGEST_FILE:
            raise BadRequest("The file would be too large: choose fewer days, or filter.")
    answer = Response(buffer.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


class CachedResponse:
    """A precompressed fixed response with an ETag, for content without secrets only."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content = content
        self.media_type = media_type

    @cached_property
    def gzipped(self) -> bytes | None:
        """None if it is not shorter."""
        made = gzip.compress(self.content, mtime=0)
        return made if len(made) < len(self.content) else None

    @cached_property
    def etag(self) -> str:
        """Of the plain form, without quotes."""
        return hashlib.sha256(self.content).hexdigest()[:32]


def cached_answer(packed: CachedResponse, *, cache: str) -> Response:
    gzipped = packed.gzipped if request.accept_encodings["gzip"] > 0 else None
    answer = Response(packed.content if gzipped is None else gzipped)
    answer.headers["Content-Type"] = packed.media_type
    answer.headers["Cache-Control"] = cache
    answer.headers["Vary"] = "Accept-Encoding"
    answer.set_etag(packed.etag if gzipped is None else f"{packed.etag}-gzip")
    if gzipped is not None:
        answer.headers["Content-Encoding"] = "gzip"
    answer.make_conditional(request)
    return answer
