"""Locks by key, for threads that would wait for each other elsewhere, at a higher cost."""

import threading
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from app.kernel.errors import ServiceUnavailable

_LOCKS = 1024


class KeyedLocks:
    """One thread at a time for each key, first come, first served; a few keys share a lock."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._locks = [_FairLock() for _ in range(_LOCKS)]

    @contextmanager
    def holding(self, key: Hashable) -> Iterator[None]:
        """Raises `ServiceUnavailable` after the longest wait."""
        lock = self._locks[hash(key) % _LOCKS]
        if not lock.acquire(self._wait_seconds):
            raise ServiceUnavailable
        try:
            yield
        finally:
            lock.release()


class _FairLock:
    """Python's own lock may let newer threads pass for seconds."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_taken = False
        self.waiting: deque[threading.Lock] = deque()

    def acquire(self, seconds: float) -> bool:
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            called = threading.Lock()
            called.acquire()
            self.waiting.append(called)
        if called.acquire(timeout=seconds):
            return True
        with self._guard:
            if called not in self.waiting:  # it was called at the last moment
                return True
            self.waiting.remove(called)
            return False

    def release(self) -> None:
        """Give the lock to the thread that has waited longest."""
        with self._guard:
            if self.waiting:
                self.waiting.popleft().release()
            else:
                self._is_taken = False
