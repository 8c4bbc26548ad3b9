"""Counting what really goes over the wire to PostgreSQL, as libpq itself sees it."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import pq
from sqlalchemy import event

from app.db.engine import Database

# The client waits after a Sync (extended protocol) and after a Query (BEGIN, COMMIT, plain SQL).
_WAITS = re.compile(r"^F\t\d+\t(?:Sync|Query)\b", re.MULTILINE)


@dataclass
class RoundTrips:
    """The messages sent since the last look."""

    _file: Any

    def take(self) -> int:
        """Return the number of round trips since the last time, and start again."""
        self._file.seek(0)
        text = self._file.read().decode("utf-8", "replace")
        self._file.seek(0)
        self._file.truncate()
        return len(_WAITS.findall(text))


@contextmanager
def counting_round_trips(database: Database) -> Iterator[RoundTrips]:
    """Trace every connection that is lent meanwhile."""
    with tempfile.TemporaryFile(mode="a+b") as file:
        traced: set[Any] = set()

        def trace(connection: Any, *_: object) -> None:
            if connection not in traced:
                traced.add(connection)
                connection.pgconn.trace(file.fileno())
                connection.pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)

        event.listen(database.engine, "checkout", trace)
        try:
            yield RoundTrips(file)
        finally:
            event.remove(database.engine, "checkout", trace)
            for connection in traced:
                connection.pgconn.untrace()
