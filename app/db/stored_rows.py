"""Reads whole tables in key order, equal on both engines, and their fingerprints.

Heartbeats are left out. Rows come in batches. A caller that stops early must close the generator.
"""

import hashlib
import json
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from app.db.engine import Database
from app.db.heartbeats import worker_heartbeats
from app.db.types import metadata
from app.kernel.clock import rfc3339

BATCH_ROWS = 1000
_LEFT_OUT = {worker_heartbeats.name}

Key: TypeAlias = tuple[Any, ...]
StoredRow: TypeAlias = dict[str, Any]


def stored_tables() -> list[sa.Table]:
    """List the tables, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in _LEFT_OUT]


def key_columns(table: sa.Table) -> list[sa.Column[Any]]:
    return list(table.primary_key.columns)


def count_stored_rows(connection: sa.Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def read_keys(connection: sa.Connection, table: sa.Table) -> Generator[Key, None, None]:
    """Yield the keys in the order in which Python sorts them."""
    wanted = sa.select(*key_columns(table)).order_by(*_sortable(connection, table))
    with connection.execution_options(yield_per=BATCH_ROWS).execute(wanted) as found:
        for row in found:
            yield tuple(row)


def last_key(connection: sa.Connection, table: sa.Table) -> Key | None:
    order = [column.desc() for column in _sortable(connection, table)]
    found = connection.execute(
        sa.select(*key_columns(table)).order_by(*order).limit(1)
    ).one_or_none()
    return None if found is None else tuple(found)


def read_rows(
    connection: sa.Connection, table: sa.Table, after: Key | None = None
) -> Generator[list[StoredRow], None, None]:
    """Read the rows after a key in batches.

    An absent JSON value is SQLAlchemy's ``null()``; a JSON ``null`` is None.
    """
    maybe_absent = [c for c in table.c if isinstance(c.type, sa.JSON) and c.nullable]
    wanted = sa.select(*table.c, *(c.is_(sa.null()).label(f"no_{c.name}") for c in maybe_absent))
    wanted = wanted.order_by(*_sortable(connection, table))
    if after is not None:
        wanted = wanted.where(_behind(connection, table, after))
    with connection.execution_options(yield_per=BATCH_ROWS).execute(wanted) as found:
        for batch in found.partitions():
            rows = [dict(zip(table.c.keys(), row, strict=False)) for row in batch]
            for place, column in enumerate(maybe_absent, start=len(table.c)):
                for stored, row in zip(rows, batch, strict=True):
                    if row[place]:
                        stored[column.name] = sa.null()
            yield rows


def _behind(connection: sa.Connection, table: sa.Table, key: Key) -> sa.ColumnElement[bool]:
    values = [
        sa.literal(value, column.type)
        for column, value in zip(key_columns(table), key, strict=True)
    ]
    return sa.tuple_(*_sortable(connection, table)) > sa.tuple_(*values)


def _sortable(connection: sa.Connection, table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """Sort texts by bytes, independent of the server's locale."""
    is_server = connection.dialect.name == "postgresql"
    return [
        sa.collate(column, "C") if is_server and isinstance(column.type, sa.String) else column
        for column in key_columns(table)
    ]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    table: str
    rows: int
    checksum: str


def take_fingerprints(database: Database, note: Callable[[int], None]) -> list[Fingerprint]:
    """All in one snapshot; ``note`` gets the number of new rows."""
    with database.snapshot() as connection:
        return [_fingerprint(connection, table, note) for table in stored_tables()]


def _fingerprint(
    connection: sa.Connection, table: sa.Table, note: Callable[[int], None]
) -> Fingerprint:
    digest = hashlib.sha256()
    count = 0
    with closing(read_rows(connection, table)) as batches:
        for rows in batches:
            digest.update(_canonical(table, rows))
            count += len(rows)
            note(len(rows))
    return Fingerprint(table.name, count, digest.hexdigest())


def _canonical(table: sa.Table, rows: list[StoredRow]) -> bytes:
    """Write rows as text that is equal on both engines and for any batch size.

    JSON values are wrapped in a list, to distinguish ``null`` from absent.
    """
    columns = [(column.name, isinstance(column.type, sa.JSON)) for column in table.c]
    values = [
        [_boxed(row[name]) if is_json else row[name] for name, is_json in columns] for row in rows
    ]
    return _encode(values)[1:-1].encode("ascii") + b","


def _boxed(value: Any) -> list[Any] | None:
    return None if isinstance(value, sa.Null) else [value]


def _plain(value: Any) -> str:
    match value:
        case UUID():
            return value.hex
        case datetime():
            return rfc3339(value)
        case date():
            return value.isoformat()
        case _:
            raise TypeError(f"no canonical form of {type(value).__name__}")


_encode = json.JSONEncoder(default=_plain, sort_keys=True, separators=(",", ":")).encode
