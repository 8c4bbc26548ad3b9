"""Fingerprints of tables, to compare two databases."""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Connection, Null, Table

from app.db.engine import Database
from app.db.stored_rows import StoredRow, read_rows, stored_tables
from app.kernel.clock import rfc3339


@dataclass(frozen=True, slots=True)
class Fingerprint:
    table: str
    rows: int
    checksum: str


def take_fingerprints(database: Database, note: Callable[[int], None]) -> list[Fingerprint]:
    """All in one snapshot; ``note`` gets the number of rows since its last call."""
    with database.snapshot() as connection:
        return [_fingerprint(connection, table, note) for table in stored_tables()]


def _fingerprint(connection: Connection, table: Table, note: Callable[[int], None]) -> Fingerprint:
    digest = hashlib.sha256()
    count = 0
    with closing(read_rows(connection, table)) as batches:
        for rows in batches:
            digest.update(_canonical(table, rows))
            count += len(rows)
            note(len(rows))
    return Fingerprint(table.name, count, digest.hexdigest())


def _canonical(table: Table, rows: list[StoredRow]) -> bytes:
    """Write rows as text that is equal on both engines and for any batch size.

    JSON values are wrapped in a list, to distinguish ``null`` from absent.
    """
    columns = [(column.name, isinstance(column.type, JSON)) for column in table.c]
    values = [
        [_boxed(row[name]) if is_json else row[name] for name, is_json in columns] for row in rows
    ]
    return _encode(values)[1:-1].encode("ascii") + b","


def _boxed(value: Any) -> list[Any] | None:
    return None if isinstance(value, Null) else [value]


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
