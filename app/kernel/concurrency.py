"""Limits slow work, so that it cannot take all threads of a process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.kernel.errors import Quota, RateLimited


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


# Reading all messages of weeks.
LONG_READS = ConcurrencyLimit("long-reads", 2, "Too many exports or dry runs at once; try again.")
