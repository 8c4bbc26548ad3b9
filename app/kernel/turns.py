"""Threads that would wait for each other elsewhere take turns here, which costs less."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from app.kernel.errors import ServiceUnavailable

_LOCKS = 64


class Turns:
    """One thread at a time for each key; a few keys share a lock."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    @contextmanager
    def take(self, key: Hashable) -> Iterator[None]:
        """Raises `ServiceUnavailable` after the longest wait."""
        lock = self._locks[hash(key) % _LOCKS]
        if not lock.acquire(timeout=self._wait_seconds):
            raise ServiceUnavailable
        try:
            yield
        finally:
            lock.release()
