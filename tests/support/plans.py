"""Looking at how the engine reads for the statements that an operation runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.db.engine import Database


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

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield plans
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@contextmanager
def parameters_of(database: Database, start: str) -> Iterator[list[Any]]:
    """Give what was bound in each statement that begins with a text."""
    found: list[Any] = []

    def note(_c: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if statement.startswith(start):
            found.append(given)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
