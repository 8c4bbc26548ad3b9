"""Runs tasks in threads until a stop; a failure does not end a task."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from app.db.unavailable import said_by_driver
from app.kernel.errors import ServiceUnavailable

_log = structlog.get_logger(__name__)
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Task:
    """A repeated task; ``run_once`` returns how many items it found."""

    name: str
    run_once: Callable[[], int]
    pause_seconds: float
    # Beyond it the task counts as stuck.
    longest_seconds: float = 600.0


class Progress:
    """Since when each task runs, or only fails; times are of the machine's monotonic clock."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._begun: dict[Task, float] = {}
        self._failing: dict[Task, float] = {}

    def begin(self, task: Task) -> None:
        self._begun[task] = self._monotonic()

    def end(self, task: Task, *, failed: bool) -> None:
        begun = self._begun.pop(task)
        if failed:
            self._failing.setdefault(task, begun)
        else:
            self._failing.pop(task, None)

    def stuck_task(self) -> str | None:
        now = self._monotonic()
        for since in (dict(self._begun), dict(self._failing)):
            for task, at in since.items():
                if now - at > task.longest_seconds:
                    return task.name
        return None


def run_tasks(
    tasks: Sequence[Task], stop: threading.Event, progress: Progress | None = None
) -> None:
    """Returns once the event is set and every task has finished."""
    noted = progress or Progress()
    threads = [
        threading.Thread(target=run_task, args=(task, stop, noted), name=task.name)
        for task in tasks
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run_task(task: Task, stop: threading.Event, progress: Progress) -> None:
    failures = 0
    while not stop.is_set():
        progress.begin(task)
        found, failures = 0, failures + 1
        try:
            found, failures = task.run_once(), 0
        except ServiceUnavailable as problem:
            why = said_by_driver(problem)
            _log.warning("task_without_database", task=task.name, why=why)
        except Exception:  # noqa: BLE001
            _log.exception("task_failed", task=task.name)
        progress.end(task, failed=failures > 0)
        if not found:
            stop.wait(pause_after(task.pause_seconds, failures, random.random()))  # noqa: S311


def pause_after(pause_seconds: float, failures: int, chance: float) -> float:
    longer = min(pause_seconds * 2.0 ** min(failures, 10), _LONGEST_PAUSE_SECONDS)
    return max(pause_seconds, longer) * (0.75 + chance / 2)
