"""Connections that are kept out of SQLAlchemy's pool between two uses, because it is slow."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.db.unavailable import is_unavailable, note_held
from app.kernel.clock import is_measured
from app.kernel.errors import ServiceUnavailable


class KeptConnections:
    """The connection that was used last is used next.

    No thread waits for the pool while a connection is kept: it notes that it waits before it
    looks for one, and a thread that keeps one looks for waiting threads afterwards.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._kept: list[Connection] = []
        self._waiting: list[None] = []  # appending and removing are atomic, adding is not

    def take(self) -> Connection:
        # A new loan measures the clock again after it was set.
        if self._kept and is_measured():
            try:
                return self._kept.pop()
            except IndexError:  # another thread was faster
                pass
        return self.new()

    def new(self) -> Connection:
        """Return a connection from the pool, without settings of an earlier use."""
        self._waiting.append(None)
        try:
            self._release_one()
            return self._connect()
        finally:
            self._waiting.pop()

    def keep(self, connection: Connection) -> None:
        """Keep a connection, unless SQLAlchemy has begun a transaction on it."""
        if connection.in_transaction():
            connection.close()
            return
        self._kept.append(connection)
        if self._waiting:
            self._release_one()

    def release_all(self) -> None:
        while self._kept:
            self._release_one()

    def _release_one(self) -> None:
        try:
            connection = self._kept.pop()
        except IndexError:
            return
        connection.close()


class Lent(AbstractContextManager[Connection]):
    """A kept connection for statements that commit themselves.

    Every request opens one. It is a class, because a generator makes more calls.
    """

    def __init__(self, kept: KeptConnections) -> None:
        self._kept = kept

    def __enter__(self) -> Connection:
        try:
            self._connection = self._kept.take()
        except SQLAlchemyError as problem:
            if is_unavailable(problem):
                raise ServiceUnavailable from problem
            raise
        note_held(1)
        return self._connection

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        note_held(-1)
        if problem is None:
            self._kept.keep(self._connection)
            return
        self._connection.close()
        if isinstance(problem, SQLAlchemyError):
            # The others may be lost as well: the pool looks.
            self._kept.release_all()
        if is_unavailable(problem):
            raise ServiceUnavailable from problem
