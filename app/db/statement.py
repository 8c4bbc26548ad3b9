"""Statements of the hot paths: SQL as text, run without SQLAlchemy's compiler.

Each is written once, for PostgreSQL, with ``:name`` for a parameter. psycopg parses a text of more
than 4,096 characters at each call, which costs more than the rest of a request.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.db.types import sqlite_time

_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")
_SQLITE_WRITES = (
    (re.compile(r"(?<=[\w)])::[a-z]+"), ""),
    (re.compile(r"= ANY\((:\w+)\)"), r"IN (SELECT value FROM json_each(\1))"),
    (re.compile(r"\bstring_agg\("), "group_concat("),
    (re.compile(r"\bIS (NOT )?DISTINCT FROM\b"), lambda found: "IS" if found[1] else "IS NOT"),
)


class Statement:
    """One statement for both engines.

    ``ids`` and ``times`` name the columns of its rows that are UUIDs and times. A SELECT of
    many columns is given with its ``ctes`` in front of it: PostgreSQL sends its row as one JSON
    value, because reading the description of each column costs more than the row.
    """

    def __init__(
        self,
        text: str,
        *,
        ctes: str | None = None,
        ids: Iterable[str] = (),
        times: Iterable[str] = (),
    ) -> None:
        self._is_json = ctes is not None
        given = f"{ctes or ''}\n{text}"
        on_postgresql = given
        if self._is_json:
            on_postgresql = f"{ctes}\nSELECT row_to_json(r) FROM (\n{text}) AS r"
        self.postgresql = _PARAMETER.sub(r"%(\1)s", _outdented(on_postgresql).replace("%", "%%"))
        self.sqlite = _outdented(given)
        for written, instead in _SQLITE_WRITES:
            self.sqlite = written.sub(instead, self.sqlite)
        self._read: dict[str, Callable[[str], Any]] = {
            **dict.fromkeys(ids, UUID),
            **dict.fromkeys(times, datetime.fromisoformat),
        }

    def first(self, connection: Connection, values: dict[str, Any]) -> Any:
        """Return the first row with its columns as attributes, or None."""
        if connection.dialect.name == "postgresql":
            row = connection.exec_driver_sql(self.postgresql, values).first()
            return self._read_texts(row[0]) if row is not None and self._is_json else row
        given = {name: _sqlite_value(value) for name, value in values.items()}
        found = connection.exec_driver_sql(self.sqlite, given).mappings().first()
        return None if found is None else self._read_texts(dict(found))

    def run(self, connection: Connection, values: dict[str, Any]) -> int:
        """Return the number of written rows."""
        if connection.dialect.name == "postgresql":
            return connection.exec_driver_sql(self.postgresql, values).rowcount
        given = {name: _sqlite_value(value) for name, value in values.items()}
        return connection.exec_driver_sql(self.sqlite, given).rowcount

    def _read_texts(self, columns: dict[Any, Any]) -> "_Row":
        for name, read in self._read.items():
            if columns[name] is not None:
                columns[name] = read(columns[name])
        return _Row(columns)


class _Row:
    def __init__(self, columns: dict[str, Any]) -> None:
        self.__dict__ = columns


def _outdented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _sqlite_value(value: Any) -> Any:
    match value:
        case UUID():
            return value.hex
        case datetime():
            return sqlite_time(value)
        case list():
            return json.dumps(value)
        case _:
            return value
