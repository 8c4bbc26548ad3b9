"""The threads that run requests."""

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Threads(Generic[T]):
    """Starts a thread only if none is free, up to a limit.

    The thread that became free last runs next: its memory is still in the processor's cache, and
    threads that are not needed never touch theirs.
    """

    def __init__(self, most: int, run: Callable[[T], None], is_first: Callable[[T], bool]) -> None:
        self._most = most
        self._run = run
        # The last two threads run only items that come first; the others wait.
        self._is_first = is_first
        self._places = max(1, most - 2)
        self._held: deque[tuple[T, bool]] = deque()
        self._lock = threading.Lock()
        self._free: list[SimpleQueue[tuple[T, bool] | None]] = []
        self._backlog: deque[tuple[T, bool]] = deque()
        self._started = 0

    def submit(self, item: T) -> None:
        takes_place = not self._is_first(item)
        job = item, takes_place
        with self._lock:
            if takes_place and not self._places:
                self._held.append(job)
                return
            self._places -= takes_place
            inbox = self._free.pop() if self._free else None
            starts = inbox is None and self._started < self._most
            if inbox is None and not starts:
                self._backlog.append(job)
            self._started += starts
        if inbox is not None:
            inbox.put(job)
        elif starts:
            threading.Thread(target=self._serve, args=(job,), daemon=True).start()

    def shutdown(self, *, wait: bool) -> None:
        """End the free threads; the others end with the process."""
        del wait
        with self._lock:
            free, self._free = self._free, []
        for inbox in free:
            inbox.put(None)

    def _serve(self, job: tuple[T, bool] | None) -> None:
        inbox: SimpleQueue[tuple[T, bool] | None] = SimpleQueue()
        while job is not None:
            item, takes_place = job
            self._run(item)
            with self._lock:
                if takes_place and self._held:
                    self._backlog.append(self._held.popleft())
                else:
                    self._places += takes_place
                waits = not self._backlog
                if waits:
                    self._free.append(inbox)
                else:
                    job = self._backlog.popleft()
            if waits:
                job = inbox.get()
