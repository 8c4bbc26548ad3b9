"""Looking at how the engine reads for the statements that an operation runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, event

from app.db.engine import Database
from app.db.statement import Statement

_EXPLAINED = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")


@contextmanager
def listening(database: Database, note: Callable[..., object]) -> Iterator[None]:
    """Call a function before each statement, as SQLAlchemy's event does."""
    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@contextmanager
def explained(database: Database, part: str) -> Iterator[list[str]]:
    """Give the plan of each statement that holds a text, as the engine would read a large table."""
    plans: list[str] = []

    def note(_c: Any, cursor: Any, statement: str, given: Any, _context: Any, many: bool) -> None:
        if part not in statement:
            return
        first = given[0] if many else given
        other = cursor.connection.cursor()
        if database.is_sqlite:
            rows = other.execute(f"EXPLAIN QUERY PLAN {statement}", first).fetchall()
            plans.append("\n".join(row[3] for row in rows))
        else:
            # A small table would be read as a whole.
            other.execute("SET enable_seqscan = off")
            rows = other.execute(f"EXPLAIN {statement}", first).fetchall()
            plans.append("\n".join(row[0] for row in rows))
            other.execute("RESET enable_seqscan")
        other.close()

    with listening(database, note):
        yield plans


@contextmanager
def statements_of(database: Database, start: str = "") -> Iterator[list[tuple[str, Any]]]:
    """Give the text and the parameters of each statement that begins with a text."""
    found: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if statement.lstrip().startswith(start):
            found.append((statement.lstrip(), given))

    with listening(database, note):
        yield found


@contextmanager
def plans_of_all(database: Database) -> Iterator[list[tuple[str, str]]]:
    """Give each statement that PostgreSQL is asked meanwhile, with its plan for a large table."""
    asked: list[tuple[Any, Any]] = []
    found: list[tuple[str, str]] = []

    class Noting(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            asked.append((query, params))
            return super().execute(query, params, **options)

        def executemany(self, query: Any, given: Any, **options: Any) -> None:
            given = list(given)
            asked.append((query, given[0]))
            super().executemany(query, given, **options)

    def lent(connection: Any, *_: object) -> None:
        connection.cursor_factory = Noting

    def noting(statement: Statement, connection: Connection, values: dict[str, Any]) -> Any:
        lists = {name: "{" + ",".join(values[name]) + "}" for name in statement._lists}
        asked.append((statement.postgresql, values | lists))
        return execute(statement, connection, values)

    execute, Statement._execute = Statement._execute, noting  # type: ignore[method-assign]
    database.close()  # a kept connection is not lent again
    event.listen(database.engine, "checkout", lent)
    try:
        yield found
    finally:
        Statement._execute = execute  # type: ignore[method-assign]
        event.remove(database.engine, "checkout", lent)
        database.close()  # with the connections that note
    url = database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        # Small tables would be read as a whole, in a join by their whole index.
        for way in ("seqscan", "hashjoin", "mergejoin"):
            connection.execute(f"SET enable_{way} = off")
        for query, params in asked:
            if str(query).lstrip().startswith(_EXPLAINED):
                rows = connection.execute(f"EXPLAIN (COSTS OFF) {query}", params)
                found.append((str(query), "\n".join(row[0] for row in rows)))
