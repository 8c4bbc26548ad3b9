"""Running the same work in several threads that start together."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from support.polling import PATIENCE_SECONDS

T = TypeVar("T")


def together(work: list[Callable[[], T]]) -> list[T]:
    """Run each piece in a thread of its own, all let go at once; give back what they returned."""
    start = threading.Barrier(len(work))

    def run(piece: Callable[[], T]) -> T:
        start.wait(PATIENCE_SECONDS)
        return piece()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


class Gate:
    """A barrier that each thread passes once; whoever comes again or later walks through."""

    def __init__(self, parties: int) -> None:
        self._barrier = threading.Barrier(parties)
        self._passed = threading.local()

    def wait(self) -> None:
        if not getattr(self._passed, "once", False):
            self._passed.once = True
            self._barrier.wait(PATIENCE_SECONDS)
