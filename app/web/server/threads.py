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
        self._held: deque[T] = deque()
        self._lock = threading.Lock()
        self._free: list[SimpleQueue[T | None]] = []
        self._backlog: deque[T] = deque()
        self._started = 0

    def submit(self, item: T) -> None:
        takes_place = not self._is_first(item)
        with self._lock:
            if takes_place and not self._places:
                self._held.append(item)
                return
            self._places -= takes_place
            inbox = self._free.pop() if self._free else None
            starts = inbox is None and self._started < self._most
            if inbox is None and not starts:
                self._backlog.append(item)
            self._started += starts
        if inbox is not None:
            inbox.put(item)
        elif starts:
            threading.Thread(target=self._serve, args=(item,), daemon=True).start()

    def shutdown(self, *, wait: bool) -> None:
        """End the free threads; the others end with the process."""
        del wait
        with self._lock:
            free, self._free = self._free, []
        for inbox in free:
            inbox.put(None)

    def _serve(self, item: T | None) -> None:
        inbox: SimpleQueue[T | None] = SimpleQueue()
        while item is not None:
            takes_place = not self._is_first(item)
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
                    item = self._backlog.popleft()
            if waits:
                item = inbox.get()
