"""Keyset pages of lists: stable under inserts, without offset and count."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate

from app.db.rows import PageFilter
from app.web.fields import StrictSchema, WholeNumber, about

T = TypeVar("T")
DEFAULT_LIMIT = 20
MAX_LIMIT = 100


class PageToken(fields.Field[UUID]):
    """An opaque position in a list: the last id shown."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> UUID:
        try:
            found = UUID(bytes=base64.urlsafe_b64decode(f"{value}=="))
        except (ValueError, binascii.Error) as problem:
            raise ValidationError("Not a page token of this list.") from problem
        if _token(found) != value:  # b64decode skips unknown characters
            raise ValidationError("Not a page token of this list.")
        return found


class PageQuery(StrictSchema):
    """Query parameters of every list."""

    makes: ClassVar[Callable[..., Any]] = PageFilter
    limit = WholeNumber(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(min=1, max=MAX_LIMIT),
        metadata=about("How many items at most"),
    )
    page_token = PageToken(load_default=None, metadata=about("next_page_token of the page before"))


def page_of(view: type[Schema], meaning: str, name: str | None = None) -> type[Schema]:
    shape = {
        "__doc__": meaning,
        "items": fields.List(fields.Nested(view), required=True),
        "next_page_token": fields.String(required=True, allow_none=True),
    }
    return type(name or view.__name__.removesuffix("View") + "Page", (Schema,), shape)


def page(
    rows: Sequence[T],
    limit: int,
    render: Callable[[T], Any],
    identify: Callable[[T], UUID] = lambda row: row.id,  # type: ignore[attr-defined]
) -> dict[str, Any]:
    """Render up to ``limit`` rows; one row more means that there is a next page."""
    shown = rows[:limit]
    return {
        "items": [render(row) for row in shown],
        "next_page_token": _token(identify(shown[-1])) if len(rows) > limit else None,
    }


def _token(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).rstrip(b"=").decode("ascii")
