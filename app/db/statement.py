"""Statements of the hot paths: SQL as text, run with the driver.

They are written for PostgreSQL, with ``:name`` for a parameter. Those that commit themselves are
prepared; psycopg parses the others at each call if they have more than 4,096 characters.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import DataError
from psycopg.pq import PGresult
from sqlalchemy import Connection

from app.db.prepared import PARAMETER, PreparedStatement
from app.db.types import sqlite_time

_ROWS = json.JSONEncoder(default=str)
_LIST = re.compile(r"= ANY\(:([a-z_]+)\)")
_SQLITE_WRITES = (
    (re.compile(r"(:\w+)::jsonb -> ([\w.]+)"), r"json_extract(\1, '$.' || \2)"),
    (re.compile(r"([\w.]+) ->> (:\w+|'\w+')"), r"json_extract(\1, '$.' || \2)"),
    (re.compile(r"(?<=[\w)])::[a-z]+"), ""),
    (re.compile(r"= ANY\((:\w+)\)"), r"IN (SELECT value FROM json_each(\1))"),
    (re.compile(r"\bstring_agg\("), "group_concat("),
    (re.compile(r"\bIS (NOT )?DISTINCT FROM\b"), lambda found: "IS" if found[1] else "IS NOT"),
)


class Statement:
    """One statement for both engines.

    ``ids`` and ``times`` are result columns.
    """

    def __init__(self, text: str, *, ids: Iterable[str] = (), times: Iterable[str] = ()) -> None:
        self._names: list[str] = []
        text = _outdented(text)
        self._prepared = PreparedStatement(text)
        self.postgresql = PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))
        self.sqlite = text
        for written, instead in _SQLITE_WRITES:
            self.sqlite = written.sub(instead, self.sqlite)
        # By number: for each name the driver would release Python's lock once more.
        self._parameters = list(dict.fromkeys(PARAMETER.findall(self.sqlite)))
        self.sqlite = PARAMETER.sub(self._number, self.sqlite)
        self._lists = set(_LIST.findall(text))
        self._read: dict[str, Callable[[str], Any]] = {
            **dict.fromkeys(ids, UUID),
            **dict.fromkeys(times, datetime.fromisoformat),
        }

    def first(self, connection: Connection, values: dict[str, Any]) -> Any:
        """Return the first row with its columns as attributes, or None."""
        found = self._execute(connection, values)
        if isinstance(found, PGresult):
            columns = self._prepared.first_row(found)
        else:
            columns = self._first_row(found)
        return None if columns is None else self._read_texts(columns)

    def run(self, connection: Connection, values: dict[str, Any]) -> int:
        """Return the number of written rows."""
        found = self._execute(connection, values)
        written = found.command_tuples if isinstance(found, PGresult) else found.rowcount
        return int(written or 0)

    def _execute(self, connection: Connection, values: dict[str, Any]) -> Any:
        """Bypass SQLAlchemy, which costs more than the statement; raises the same `DBAPIError`."""
        driver: Any = connection.connection.dbapi_connection
        try:
            if connection.dialect.name != "postgresql":
                given = [_sqlite_value(values[name]) for name in self._parameters]
                return driver.execute(self.sqlite, given)
            if self._lists:
                values = values | {name: _array(values[name]) for name in self._lists}
            if driver.autocommit:
                return self._prepared.execute(driver, connection.info, values)
            return driver.execute(self.postgresql, values)
        except BaseException as problem:  # noqa: BLE001
            connection._handle_dbapi_exception(problem, None, None, None, None)  # noqa: SLF001

    def _first_row(self, cursor: Any) -> dict[str, Any] | None:
        row = cursor.fetchone()
        if row is not None and not self._names:
            self._names = [column[0] for column in cursor.description]
        cursor.close()
        return None if row is None else dict(zip(self._names, row, strict=True))

    def _number(self, found: re.Match[str]) -> str:
        return f"?{self._parameters.index(found[1]) + 1}"

    def _read_texts(self, columns: dict[Any, Any]) -> "_Row":
        for name, read in self._read.items():
            if isinstance(columns[name], str):
                columns[name] = read(columns[name])
        return _Row(columns)


def with_rows(text: str, row: str) -> str:
    """Replace the parameters of a statement for one row by the columns of many."""
    return PARAMETER.sub(rf"{row}.\1", text)


def rows_of(parameter: str, row: str, types: Mapping[str, str]) -> str:
    """Return the SQL that reads rows from a parameter (see `rows_json`) on PostgreSQL."""
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    read = f"jsonb_to_recordset(CAST(:{parameter} AS jsonb)) AS {row} ({columns})"
    return f"SELECT * FROM {read}"  # noqa: S608


def free_rows(rows: str, key: str, table: str) -> str:
    """Return the SQL ``free``: which rows of a table the rows name that nobody else has locked.

    Two statements that skip locked rows cannot wait for each other.
    """
    return f"""free AS (SELECT locked.id FROM {rows} AS r JOIN {table} AS locked
  ON locked.id = r.{key} FOR UPDATE OF locked SKIP LOCKED)"""  # noqa: S608


def rows_json(rows: Iterable[Mapping[str, Any]]) -> str:
    return _ROWS.encode(list(rows))


class _Row:
    def __init__(self, columns: dict[str, Any]) -> None:
        self.__dict__ = columns


def _outdented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _array(texts: list[str]) -> str:
    """Write an array as PostgreSQL reads it; psycopg takes several calls for each element."""
    quoted = "\0".join(texts).replace("\\", "\\\\").replace('"', '\\"')
    if quoted.count("\0") >= max(len(texts), 1):
        raise DataError("PostgreSQL stores no NUL character")
    return '{"' + quoted.replace("\0", '","') + '"}' if texts else "{}"


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
