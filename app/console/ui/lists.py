"""Lists on pages: the search form and the pager that keeps the search."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import request
from marshmallow import Schema

from app.console.ui.forms import read_search, refilled
from app.console.ui.pages import Form, link
from app.kernel.errors import ValidationFailed
from app.web.pages import T, page

_TOKEN = "page_token"  # noqa: S105 (a position in a list)
_ZONE = "zone"  # the time zone of the dates, which is no filter by itself


def searched(schema: type[Schema]) -> tuple[Form, Any | None]:
    try:
        wanted = read_search(schema)
    except ValidationFailed as problem:
        return refilled(problem), None
    return Form(request.args.to_dict()), wanted


def listed(
    path: str,
    rows: Sequence[T],
    limit: int,
    identify: Callable[[T], UUID] = lambda row: row.id,  # type: ignore[attr-defined]
) -> dict[str, Any]:
    """Return a list with the URLs of its pager; ``rows`` has one more if a page follows."""
    found = page(rows, limit, lambda row: row, identify)
    token = found["next_page_token"]
    search = {name: text for name, text in request.args.items() if text and name != _TOKEN}
    return {
        "items": found["items"],
        "next_path": None if token is None else _address(path, search | {_TOKEN: token}),
        "first_path": _address(path, search),
        "export_path": _address(path + ".csv", search),
        "is_first": not request.args.get(_TOKEN),
        "is_searched": bool(search.keys() - {_ZONE}),
    }


def _address(path: str, query: dict[str, str]) -> str:
    return link(path) + ("?" + urlencode(query) if query else "")
