"""The database and the clock of the app that serves a request."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from sqlalchemy import Connection

from app.db.engine import Database
from app.kernel.clock import Clock
from app.web.registry import get_service


def current_time() -> datetime:
    return get_service(Clock).now()


def reading() -> AbstractContextManager[Connection]:
    return get_service(Database).reading()


@contextmanager
def writing() -> Iterator[tuple[Connection, datetime]]:
    """Yield a connection in a transaction, with the time of the change."""
    with get_service(Database).writing() as connection:
        yield connection, current_time()
