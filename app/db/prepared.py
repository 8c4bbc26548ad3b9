"""Statements that PostgreSQL has prepared, run with libpq alone.

For each statement, psycopg's cursor makes 70 calls and releases Python's lock five times, after
which its thread waits for the others; libpq makes one call.
"""

import itertools
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import DataError, OperationalError, errors
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

PARAMETER = re.compile(r"(?<!:):([a-z_]+)")
# The names of the prepared statements of a connection; None for one that came once.
_STATEMENTS = "statements"
_NUMBERS = itertools.count()
# psycopg forgets all prepared statements of a connection after a rollback.
_NOT_PREPARED = b"26000"
_UNKNOWN = 0  # the server finds the type out
_BIGINT, _END_OF_INTEGER = 20, 2**31
_TYPES: Mapping[type, int] = {bool: 16, int: 23, UUID: 2950, datetime: 1184}
_READ: Mapping[int, Callable[[bytes], Any]] = {
    16: b"t".__eq__,
    _BIGINT: int,
    23: int,
    25: bytes.decode,
    114: json.loads,
    1043: bytes.decode,
    1184: lambda data: datetime.fromisoformat(data.decode()),
    2950: lambda data: UUID(data.decode()),
    3802: json.loads,
}


class PreparedStatement:
    """A statement with ``:name`` for a parameter; it commits itself."""

    def __init__(self, text: str) -> None:
        self._names = list(dict.fromkeys(PARAMETER.findall(text)))
        self._command = PARAMETER.sub(self._number, text).encode()
        self._columns: list[tuple[int, str, Callable[[bytes], Any]]] = []

    def execute(
        self, driver: Any, of_connection: dict[Any, Any], values: dict[str, Any]
    ) -> PGresult:
        """Prepare a statement when it comes again; raises `psycopg.Error`."""
        given = [values[name] for name in self._names]
        known_type = _TYPES.get
        types = tuple(
            [
                _BIGINT
                if type(value) is int and abs(value) >= _END_OF_INTEGER
                else known_type(type(value), _UNKNOWN)
                for value in given
            ]
        )
        texts = [None if value is None else str(value).encode() for value in given]
        if b"\0" in b"".join(filter(None, texts)):
            raise DataError("PostgreSQL stores no NUL character")  # libpq would cut the text there
        known: dict[Any, bytes | None] = of_connection.setdefault(_STATEMENTS, {})
        name = known.get((self, types))
        if name is None and (self, types) in known:
            name = known[self, types] = b"borderpost_%d" % next(_NUMBERS)
            _checked(driver, driver.pgconn.prepare(name, self._command, types))
        if name is not None:
            result = driver.pgconn.exec_prepared(name, texts)
            if result.error_field(DiagnosticField.SQLSTATE) != _NOT_PREPARED:
                return _checked(driver, result)
        known[self, types] = None
        return _checked(driver, driver.pgconn.exec_params(self._command, texts, types))

    def first_row(self, result: PGresult) -> dict[str, Any] | None:
        """Return the columns of the first row by name; all results of a statement have the same."""
        if not result.ntuples:
            return None
        if not self._columns:
            self._columns = [
                (at, (result.fname(at) or b"").decode(), _READ[result.ftype(at)])
                for at in range(result.nfields)
            ]
        value = result.get_value
        return {
            name: None if (data := value(0, at)) is None else read(data)
            for at, name, read in self._columns
        }

    def _number(self, found: re.Match[str]) -> str:
        return f"${self._names.index(found[1]) + 1}"


def _checked(driver: Any, result: PGresult) -> PGresult:
    if result.status in {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}:
        return result
    if driver.pgconn.status == ConnStatus.BAD:
        raise OperationalError(result.get_error_message())
    raise errors.error_from_result(result)
