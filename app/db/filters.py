"""Pages of lists, and their optional conditions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, FromClause, Select

from app.db.rows import AnyRow


@dataclass(frozen=True, slots=True)
class PageFilter:
    limit: int
    page_token: UUID | None = None


def given(*pairs: tuple[Any, Callable[[Any], ColumnElement[bool]]]) -> list[ColumnElement[bool]]:
    return [condition(value) for value, condition in pairs if value is not None]


def equal(wanted: PageFilter, table: FromClause, *names: str) -> list[ColumnElement[bool]]:
    pairs = ((table.c[name], getattr(wanted, name)) for name in names)
    return [column == value for column, value in pairs if value is not None]


def load_page(
    connection: Connection,
    query: Select[Any],
    table: FromClause,
    wanted: PageFilter,
    *,
    oldest_first: bool = False,
) -> list[AnyRow]:
    """Load `limit` + 1 rows, newest first by default."""
    key = table.c.id
    after = given((wanted.page_token, key.__gt__ if oldest_first else key.__lt__))
    ordered = query.where(*after).order_by(key if oldest_first else key.desc())
    return list(connection.execute(ordered.limit(wanted.limit + 1)))
