"""Group commit on SQLite: writes that wait for each other share one transaction.

SQLite has one writer at a time, and each commit waits for the disk. A write that may share runs in
a savepoint. If another such write waits, it continues the transaction; the last one commits, and
all of them return after the commit. Each thread runs its own statements.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from app.db.statement import Statement
from app.kernel.errors import ServiceUnavailable

MOST_WRITES = 64
_SAVE = Statement("SAVEPOINT one_write")
_KEEP = Statement("RELEASE one_write")
_UNDO = Statement("ROLLBACK TO one_write")


def _taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Waiter:
    shares: bool
    called: threading.Lock


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
        ended = _taken_lock()
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


class GroupCommit:
    """The writers of one process: one at a time, in the order of their arrival.

    ``connect`` returns a connection that waits so many seconds for other processes.
    """

    def __init__(self, connect: Callable[[float], Connection]) -> None:
        self._connect = connect
        self._guard = threading.Lock()
        self._is_taken = False
        self._waiting: deque[_Waiter] = deque()
        # Only the thread that has its turn reads or changes the batch.
        self._batch: _Batch | None = None

    @contextmanager
    def alone(self, wait_seconds: float) -> Iterator[float]:
        """Exclude other writers of this process; yield the seconds left of the wait.

        Raises `ServiceUnavailable`.
        """
        left = self._await_turn(wait_seconds, shares=False)
        try:
            yield left
        finally:
            self._end_turn()

    @contextmanager
    def sharing(self, wait_seconds: float) -> Iterator[Connection]:
        """Yield a connection for one short write; return after its commit.

        Raises:
            ServiceUnavailable: it had to wait too long, or the commit failed.
        """
        left = self._await_turn(wait_seconds, shares=True)
        try:
            batch = self._batch = self._batch or _Batch(self._connect(left))
        except BaseException:
            self._end_turn()
            raise
        try:
            with batch.savepoint():
                yield batch.connection
        finally:
            ended = batch.add_write()
            self._end_turn()
            # Also after an error: the write may have failed because of an earlier one.
            batch.await_end(ended)
            if batch.problem is not None:
                raise ServiceUnavailable from batch.problem

    def _await_turn(self, wait_seconds: float, *, shares: bool) -> float:
        deadline = time.monotonic() + wait_seconds
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return wait_seconds
            waiter = _Waiter(shares, _taken_lock())
            self._waiting.append(waiter)
        is_called = False
        try:
            is_called = waiter.called.acquire(timeout=wait_seconds)
        except BaseException:
            if not self._has_left(waiter):
                self._end_turn()
            raise
        if not is_called and self._has_left(waiter):
            raise ServiceUnavailable
        return max(0.0, deadline - time.monotonic())

    def _has_left(self, waiter: _Waiter) -> bool:
        """Leave the queue; False if the turn has just come."""
        with self._guard:
            try:
                self._waiting.remove(waiter)
            except ValueError:
                return False
            return True

    def _end_turn(self) -> None:
        """Let the next write continue the transaction; if there is none, commit."""
        batch = self._batch
        if batch is not None:
            if batch.may_grow and self._call_next(only_sharing=True):
                return
            self._batch = None
        try:
            if batch is not None:
                batch.end()
        finally:
            self._call_next()

    def _call_next(self, *, only_sharing: bool = False) -> bool:
        """Give the turn to the next writer; return False if it stays or is free."""
        with self._guard:
            if self._waiting and (self._waiting[0].shares or not only_sharing):
                self._waiting.popleft().called.release()
                return True
            if not only_sharing:
                self._is_taken = False
            return False
