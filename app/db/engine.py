"""Connections and transactions on both engines.

On SQLite the writers of a process queue, see `app.db.group_commit`. PostgreSQL: short timeouts,
because a status callback must not wait. Failures to connect raise `ServiceUnavailable`.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from app.db.clock import measure, measure_by_connections
from app.db.group_commit import GroupCommit
from app.db.postgres import make_postgres_engine
from app.db.sqlite import make_sqlite_engine
from app.db.unavailable import is_unavailable, note_held, unavailable_as_public
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


class AutocommitConnection(AbstractContextManager[Connection]):
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


_WAIT_SECONDS = 2
_MIGRATION_SECONDS = 60


class Database:
    """One database; the engine is created at first use, after a fork.

    ``is_pooled``: through a pooler in transaction mode.
    """

    def __init__(self, url: str, *, pool_size: int = 32, is_pooled: bool = False) -> None:
        self._url = make_url(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self._is_pooled = is_pooled and not self.is_sqlite
        self._pool_size = pool_size
        self._engine: Engine | None = None
        self._owner = 0
        self._making = threading.Lock()
        self._group = GroupCommit(self._connect_waiting)

    @property
    def engine(self) -> Engine:
        if self._engine is None or self._owner != os.getpid():
            with self._making:
                if self._engine is None or self._owner != os.getpid():
                    self._group = GroupCommit(self._connect_waiting)
                    engine = self._make_engine()
                    self._kept = KeptConnections(engine.connect)
                    self._engine = engine
                    self._owner = os.getpid()
        return self._engine

    def close(self) -> None:
        if self._engine is not None and self._owner == os.getpid():
            self._kept.release_all()
            self._engine.dispose()
        self._engine = None

    def reading(self) -> AbstractContextManager[Connection]:
        """Each statement sees the newest commits."""
        return self._autocommitting()

    def measure_clock(self) -> timedelta:
        with self.reading() as connection:
            return measure(
                lambda statement: connection.exec_driver_sql(statement).scalar_one(),
                is_sqlite=self.is_sqlite,
            )

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        with unavailable_as_public(), self._connect() as connection:
            if self.is_sqlite:
                yield connection.execution_options(borderpost_reads=True)
                return
            connection.execution_options(isolation_level="REPEATABLE READ")
            connection.execution_options(postgresql_readonly=True)
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with unavailable_as_public(), self._turn() as left, self._connect() as connection:
            connection.execution_options(borderpost_wait_seconds=left)
            if not self.is_sqlite:
                connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                yield connection

    def writing_once(self) -> AbstractContextManager[Connection]:
        """Open a connection for one writing statement. The block should be short.

        It takes one round trip on PostgreSQL, and a transaction through a pooler. On SQLite it is
        a savepoint, and writes of other threads share its transaction.
        """
        if self.is_sqlite:
            return self._sharing()
        return self.writing() if self._is_pooled else self._autocommitting()

    @contextmanager
    def _sharing(self) -> Iterator[Connection]:
        _ = self.engine
        with unavailable_as_public(), self._group.sharing(_WAIT_SECONDS) as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Yield a connection in one transaction that excludes other migrations.

        SQLite rebuilds tables, so foreign keys are checked before the commit.
        """
        if not self.is_sqlite:
            with self.writing() as connection:
                # Another process may be migrating, and a large table takes time.
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_MIGRATION_SECONDS}s'")
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7077)")
                yield connection
            return
        with unavailable_as_public(), self._turn(), self.engine.connect() as connection:
            driver = connection.connection.driver_connection
            if driver is None:
                raise ServiceUnavailable
            driver.execute("PRAGMA foreign_keys=OFF").close()
            connection.execution_options(borderpost_wait_seconds=_MIGRATION_SECONDS)
            try:
                with connection.begin():
                    yield connection
                    if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                        raise RuntimeError("a migration has broken a foreign key; nothing is done")
            finally:
                driver.execute("PRAGMA foreign_keys=ON").close()

    def _autocommitting(self) -> AbstractContextManager[Connection]:
        _ = self.engine
        needs_transaction = self.is_sqlite or self._is_pooled
        return (
            self._reading_transaction() if needs_transaction else AutocommitConnection(self._kept)
        )

    @contextmanager
    def _reading_transaction(self) -> Iterator[Connection]:
        with unavailable_as_public(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.execution_options(borderpost_reads=True)
            connection.begin()
            yield connection

    def _connect(self) -> Connection:
        _ = self.engine
        return self._kept.new()

    @contextmanager
    def _turn(self) -> Iterator[float]:
        """Wait for the other writers of this process; yield the seconds left."""
        if not self.is_sqlite:
            yield _WAIT_SECONDS
            return
        _ = self.engine
        with self._group.alone(_WAIT_SECONDS) as left:
            yield left

    def _connect_waiting(self, seconds: float) -> Connection:
        return self._connect().execution_options(borderpost_wait_seconds=seconds)

    def _make_engine(self) -> Engine:
        if self.is_sqlite:
            engine = make_sqlite_engine(
                self._url.render_as_string(), self._pool_size, _WAIT_SECONDS
            )
        else:
            engine = make_postgres_engine(
                self._url, self._pool_size, _WAIT_SECONDS, is_pooled=self._is_pooled
            )
        measure_by_connections(engine)
        return engine
