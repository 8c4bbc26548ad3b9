"""Limits slow work, so that it cannot take all threads of a process."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.kernel.errors import Quota, RateLimited

_TURN_SECONDS = 0.001


class ConcurrencyLimit:
    def __init__(self, name: str, at_once: int, refusal: str) -> None:
        self._quota, self._refusal = Quota(name, at_once), refusal
        self._free = threading.BoundedSemaphore(at_once)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Raises `RateLimited` if none is free."""
        if not self._free.acquire(blocking=False):
            raise RateLimited(self._quota, self._refusal)
        try:
            yield
        finally:
            self._free.release()


# A callback waits for its turn several times, so turns are short while something computes for long.
class LongReads(ConcurrencyLimit):
    _lock = threading.Lock()
    _running, _usual_turn_seconds = 0, 0.0

    @contextmanager
    def slot(self) -> Iterator[None]:
        with super().slot():
            self._count(1)
            try:
                yield
            finally:
                self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            if not self._running:
                self._usual_turn_seconds = sys.getswitchinterval()
            self._running += change
            sys.setswitchinterval(_TURN_SECONDS if self._running else self._usual_turn_seconds)


# Reading all messages of weeks.
LONG_READS = LongReads("long-reads", 2, "Too many exports or dry runs at once; try again.")
