"""Rows, their INSERT with ON CONFLICT for both engines, and pages of lists with conditions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, Table, literal, tuple_
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_FIRST_ID, _LAST_ID = UUID(int=0), UUID(int=2**128 - 1)
AnyRow: TypeAlias = Row[*tuple[Any, ...]]
T = TypeVar("T", bound="DataclassInstance")


def from_row(kind: type[T], row: "AnyRow | DataclassInstance", /, **more: Any) -> T:
    """Make an object of columns or fields named as its fields; ``more`` has the others."""
    names = [one.name for one in fields(kind) if one.name not in more]
    return kind(**{name: getattr(row, name) for name in names}, **more)


def insert_on_conflict(connection: Connection, table: Table) -> Any:
    """Begin the statement; it ends with ``on_conflict_do_nothing`` or ``on_conflict_do_update``."""
    is_postgresql = connection.dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgresql else sqlite.insert(table)


def upsert(connection: Connection, table: Table, key: Mapping[str, Any], **values: Any) -> None:
    """Insert a row, or change the values of the one with this key."""
    row = insert_on_conflict(connection, table).values(**key, **values)
    connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=values))


def update_row(connection: Connection, table: Table, row_id: UUID, **values: Any) -> None:
    connection.execute(table.update().where(table.c.id == row_id).values(**values))


@dataclass(frozen=True, slots=True)
class PageFilter:
    """A list loads `limit` + 1 rows: one more means that there is a next page."""

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
    key = table.c.id
    after = given((wanted.page_token, key.__gt__ if oldest_first else key.__lt__))
    ordered = query.where(*after).order_by(key if oldest_first else key.desc())
    return list(connection.execute(ordered.limit(wanted.limit + 1)))


def newest_of(
    query: Select[Any],
    wanted: tuple[ColumnElement[Any], Any],
    id_column: ColumnElement[UUID],
    ids: tuple[UUID | None, UUID | None],
) -> Select[Any]:
    """Read the rows with one value of a column, newest first, by the index on column and id.

    A range of pairs and their order leave no other index. With an equal sign PostgreSQL, which
    plans without the values, may read the newest rows of all values until enough fit.
    """
    key, value = wanted
    pair, given_value = tuple_(key, id_column), literal(value, key.type)
    first, end = ids
    query = query.where(
        key.is_not(None),
        pair >= tuple_(given_value, literal(first or _FIRST_ID, id_column.type)),
        pair < tuple_(given_value, literal(end or _LAST_ID, id_column.type)),
        # Leaves months out.
        *given((first, id_column.__ge__), (end, id_column.__lt__)),
    )
    return query.order_by(key.desc(), id_column.desc())
