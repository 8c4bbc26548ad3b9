"""Delayed jobs on a few background threads, which start when first needed."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_logger = logging.getLogger(__name__)


@dataclass(order=True, slots=True)
class _Entry:
    due: float
    order: int
    job: Callable[[], None] = field(compare=False)


class Scheduler:
    """Runs jobs after a delay; jobs due together run in order."""

    def __init__(self, workers: int) -> None:
        self._most_workers = workers
        self._threads: list[threading.Thread] = []
        self._entries: list[_Entry] = []
        self._orders = itertools.count()
        self._running = 0
        self._closed = False
        self._changed = threading.Condition()

    def submit(self, delay_seconds: float, job: Callable[[], None]) -> None:
        """Runs the job after the delay; after `close`, the job is dropped."""
        with self._changed:
            if self._closed:
                return
            entry = _Entry(time.monotonic() + delay_seconds, next(self._orders), job)
            heapq.heappush(self._entries, entry)
            if len(self._threads) < min(self._most_workers, len(self._entries) + self._running):
                self._start_worker()
            self._changed.notify_all()

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._entries and not self._running, timeout_seconds
            )

    def clear(self) -> None:
        with self._changed:
            self._entries.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """Drops waiting jobs, waits for running ones, and joins the threads."""
        with self._changed:
            self._closed = True
            self._entries.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _start_worker(self) -> None:
        name = f"emulator-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            try:
                job()
            except Exception:
                _logger.exception("a job of the emulator failed")
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _next_job(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._closed:
                wait = self._entries[0].due - time.monotonic() if self._entries else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                self._running += 1
                return heapq.heappop(self._entries).job
            return None
