"""Reads whole tables in key order, equal on both engines, without heartbeats.

Rows come in batches. A caller that stops early must close the generator.
"""

from collections.abc import Generator
from typing import Any, TypeAlias

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    collate,
    func,
    literal,
    null,
    select,
    tuple_,
)

from app.db.heartbeats import worker_heartbeats
from app.db.metadata import metadata

BATCH_ROWS = 1000
_LEFT_OUT = {worker_heartbeats.name}

Key: TypeAlias = tuple[Any, ...]
StoredRow: TypeAlias = dict[str, Any]


def stored_tables() -> list[Table]:
    """List the tables, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in _LEFT_OUT]


def key_columns(table: Table) -> list[Column[Any]]:
    return list(table.primary_key.columns)


def count_stored_rows(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def read_keys(connection: Connection, table: Table) -> Generator[Key, None, None]:
    """In Python's order."""
    wanted = _in_order(connection, table, select(*key_columns(table)))
    with connection.execution_options(yield_per=BATCH_ROWS).execute(wanted) as found:
        for row in found:
            yield tuple(row)


def last_key(connection: Connection, table: Table) -> Key | None:
    columns = key_columns(table)
    order = [column.desc() for column in _sortable(connection, table)]
    found = connection.execute(select(*columns).order_by(*order).limit(1)).one_or_none()
    return None if found is None else tuple(found)


def read_rows(
    connection: Connection, table: Table, after: Key | None = None
) -> Generator[list[StoredRow], None, None]:
    """Read the rows after a key in batches.

    An absent JSON value is SQLAlchemy's ``null()``; a JSON ``null`` is None.
    """
    maybe_absent = [c for c in table.c if isinstance(c.type, JSON) and c.nullable]
    wanted = select(*table.c, *(c.is_(null()).label(f"no_{c.name}") for c in maybe_absent))
    wanted = _in_order(connection, table, wanted)
    if after is not None:
        wanted = wanted.where(_behind(connection, table, after))
    with connection.execution_options(yield_per=BATCH_ROWS).execute(wanted) as found:
        for batch in found.partitions():
            rows = [dict(zip(table.c.keys(), row, strict=False)) for row in batch]
            for place, column in enumerate(maybe_absent, start=len(table.c)):
                for stored, row in zip(rows, batch, strict=True):
                    if row[place]:
                        stored[column.name] = null()
            yield rows


def _in_order(connection: Connection, table: Table, wanted: Select[Any]) -> Select[Any]:
    return wanted.order_by(*_sortable(connection, table))


def _behind(connection: Connection, table: Table, key: Key) -> ColumnElement[bool]:
    values = [
        literal(value, column.type) for column, value in zip(key_columns(table), key, strict=True)
    ]
    return tuple_(*_sortable(connection, table)) > tuple_(*values)


def _sortable(connection: Connection, table: Table) -> list[ColumnElement[Any]]:
    """Sort texts by bytes, independent of the server's locale."""
    is_server = connection.dialect.name == "postgresql"
    return [
        collate(column, "C") if is_server and isinstance(column.type, String) else column
        for column in key_columns(table)
    ]
