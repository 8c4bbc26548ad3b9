"""Group commit on SQLite: writes that wait for each other share one transaction.

A write that may share runs in a savepoint. If another such write waits, it continues the
transaction; the last one commits, and all of them return after the commit.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from app.db.statement import Statement
from app.kernel.errors import ServiceUnavailable
from app.kernel.locks import FairLock, taken_lock

MOST_WRITES = 64
_SAVE = Statement("SAVEPOINT one_write")
_KEEP = Statement("RELEASE one_write")
_UNDO = Statement("ROLLBACK TO one_write")


class _Batch:
    """The open transaction and the writes in it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        try:
            self._transaction = connection.begin()
        except BaseException:
            connection.close()
            raise
        self.problem: BaseException | None = None
        self._ended: deque[threading.Lock] = deque()

    @property
    def may_grow(self) -> bool:
        return self.problem is None and len(self._ended) < MOST_WRITES

    def add_write(self) -> threading.Lock:
        """Return the lock for `await_end`."""
        ended = taken_lock()
        self._ended.append(ended)
        return ended

    def await_end(self, ended: threading.Lock) -> None:
        """Wait for the commit, then wake the next write.

        If all woke together, they would only wait for Python's lock.
        """
        try:
            ended.acquire()
        except BaseException:
            try:
                self._ended.remove(ended)
            except ValueError:
                self._wake_next()
            raise
        self._wake_next()

    def _wake_next(self) -> None:
        if self._ended:
            self._ended.popleft().release()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """An error undoes one write. If that fails, SQLite has rolled back the whole batch."""
        _SAVE.run(self.connection, {})
        try:
            yield
        except BaseException:
            self._or_fail(_UNDO)
            self._or_fail(_KEEP)
            raise
        self._or_fail(_KEEP)

    def _or_fail(self, statement: Statement) -> None:
        try:
            statement.run(self.connection, {})
        except BaseException as problem:
            self.problem = problem
            raise

    def end(self) -> None:
        """Commit, or roll back after a problem; then wake the first write."""
        try:
            with self.connection, self._transaction:
                if self.problem is not None:
                    self._transaction.rollback()
        except BaseException as problem:
            self.problem = self.problem or problem
            if not isinstance(problem, Exception):
                raise
        finally:
            self._wake_next()


class GroupCommit(FairLock):
    """The writers of one process: one at a time, in the order of their arrival.

    ``connect`` returns a connection that waits so many seconds for other processes.
    """

    def __init__(self, connect: Callable[[float], Connection]) -> None:
        super().__init__()
        self._connect = connect
        # Only the thread that has the lock reads or changes the batch.
        self._batch: _Batch | None = None

    @contextmanager
    def alone(self, wait_seconds: float) -> Iterator[float]:
        """Exclude other writers of this process; yield the seconds left of the wait.

        Raises `ServiceUnavailable`.
        """
        left = self._wait(wait_seconds, shares=False)
        try:
            yield left
        finally:
            self.release()

    @contextmanager
    def sharing(self, wait_seconds: float) -> Iterator[Connection]:
        """Yield a connection for one short write; return after its commit.

        Raises:
            ServiceUnavailable: it had to wait too long, or the commit failed.
        """
        left = self._wait(wait_seconds, shares=True)
        try:
            batch = self._batch = self._batch or _Batch(self._connect(left))
        except BaseException:
            self.release()
            raise
        try:
            with batch.savepoint():
                yield batch.connection
        finally:
            ended = batch.add_write()
            self.release()
            # Also after an error: the write may have failed because of an earlier one.
            batch.await_end(ended)
            if batch.problem is not None:
                raise ServiceUnavailable from batch.problem

    def _wait(self, seconds: float, *, shares: bool) -> float:
        deadline = time.monotonic() + seconds
        if not self.acquire(seconds, shares=shares):
            raise ServiceUnavailable
        return max(0.0, deadline - time.monotonic())

    def release(self) -> None:
        """Let the next write continue the transaction; if there is none, commit."""
        batch = self._batch
        if batch is not None:
            if batch.may_grow and self.pass_to_sharing():
                return
            self._batch = None
        try:
            if batch is not None:
                batch.end()
        finally:
            super().release()
