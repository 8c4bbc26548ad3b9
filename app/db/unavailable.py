"""Turns failures to reach the database into `ServiceUnavailable`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError as PoolTimeoutError,
)

from app.kernel.errors import ServiceUnavailable

# The schema is older than the program: reported like a missing database.
_NOT_MIGRATED = {"42P01", "42703"}
_DEADLOCK = "40P01"
_held = threading.local()


def holds_connection() -> bool:
    """Whether this thread holds a connection, inside a transaction or not."""
    return getattr(_held, "depth", 0) > 0


def note_held(change: int) -> None:
    _held.depth = getattr(_held, "depth", 0) + change


@contextmanager
def unavailable_as_public() -> Iterator[None]:
    """Turn connection errors into `ServiceUnavailable`.

    It encloses every connection, so it also counts them for `holds_connection`.
    """
    note_held(1)
    try:
        yield
    except SQLAlchemyError as problem:
        if is_unavailable(problem):
            raise ServiceUnavailable from problem
        raise
    finally:
        note_held(-1)


def why_unavailable(problem: ServiceUnavailable) -> str:
    text = "the database cannot be reached or is busy: see BORDERPOST_DATABASE_URL"
    cause = said_by_driver(problem)
    return f"{text} ({cause})" if cause else text


def said_by_driver(problem: BaseException) -> str | None:
    cause = str(getattr(problem.__cause__, "orig", None) or "").strip()
    return cause.splitlines()[0] if cause else None


def is_unavailable(problem: BaseException) -> bool:
    if isinstance(problem, OperationalError | InterfaceError | PoolTimeoutError):
        return True
    # SQLite's plain `DatabaseError`: the file is damaged or not a database.
    return isinstance(problem, DBAPIError) and (
        problem.connection_invalidated
        or type(problem) is DatabaseError
        or _sqlstate(problem) in _NOT_MIGRATED
    )


def is_deadlock(problem: BaseException | None) -> bool:
    """Whether PostgreSQL ended a transaction that waited for one which waited for it."""
    return isinstance(problem, DBAPIError) and _sqlstate(problem) == _DEADLOCK


def _sqlstate(problem: DBAPIError) -> str | None:
    return getattr(problem.orig, "sqlstate", None)
