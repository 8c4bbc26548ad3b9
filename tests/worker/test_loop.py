"""Tasks run until they are stopped, whatever befalls them."""

import threading

import pytest
from hypothesis import given, strategies as st
from sqlalchemy.exc import DBAPIError

from app.kernel.errors import ServiceUnavailable
from app.worker import loop
from app.worker.loop import Progress, Task, pause_after, run_tasks
from support.logs import lines_of
from support.polling import PATIENCE_SECONDS


def test_a_task_outlives_its_own_failures() -> None:
    """Break: leave out `why`."""
    stop, gone = threading.Event(), ServiceUnavailable()
    gone.__cause__ = DBAPIError("SELECT 1", None, ValueError("disk is full\nDETAIL: row"))
    script: list[Exception | int] = [gone, ValueError("defect"), 1, 0]

    def run_once() -> int:
        step = script.pop(0)
        if not script:
            stop.set()
        if isinstance(step, Exception):
            raise step
        return step

    with lines_of(loop) as lines:
        run_tasks([Task("one", run_once, 0.001)], stop)
    assert script == []
    found = [(line["event"], line.get("why")) for line in lines]
    assert found == [("task_without_database", "disk is full"), ("task_failed", None)]


def test_stopping_waits_for_what_was_begun() -> None:
    stop, begun, released = threading.Event(), threading.Event(), threading.Event()
    finished: list[bool] = []

    def run_once() -> int:
        begun.set()
        released.wait(PATIENCE_SECONDS)
        finished.append(True)
        return 0

    runner = threading.Thread(target=run_tasks, args=([Task("slow", run_once, 60.0)], stop))
    runner.start()
    assert begun.wait(PATIENCE_SECONDS)
    stop.set()
    released.set()
    runner.join(PATIENCE_SECONDS)
    assert finished == [True]
    assert not runner.is_alive()


def test_a_task_that_does_not_end_or_only_fails_counts_as_stuck() -> None:
    """Break: forget since when it fails with each new attempt."""
    now = [0.0]
    progress = Progress(lambda: now[0])
    slow, quick = Task("slow", lambda: 0, 1.0, 100.0), Task("quick", lambda: 0, 1.0)
    progress.begin(slow)
    found = []
    for second in range(0, 650, 50):
        now[0] = float(second)
        progress.begin(quick)
        found.append(progress.stuck_task())
        progress.end(quick, failed=True)
        if second == 200:
            progress.end(slow, failed=False)
    assert found == [None] * 3 + ["slow"] * 2 + [None] * 8
    now[0] = 601.0
    assert progress.stuck_task() == "quick"
    progress.begin(quick)
    progress.end(quick, failed=False)
    assert progress.stuck_task() is None


@given(st.floats(0.1, 3600), st.integers(0, 100), st.floats(0, 1))
def test_a_pause_grows_with_failures_and_stays_bounded(
    pause: float, failures: int, chance: float
) -> None:
    found = pause_after(pause, failures, chance)
    assert 0.75 * pause <= found <= 1.25 * max(pause, 60.0)
    assert pause_after(pause, failures + 1, chance) >= found - 1e-9


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 1.0), (1, 2.0), (5, 32.0), (6, 60.0), (50, 60.0)]
)
def test_the_pause_doubles_up_to_a_minute(failures: int, seconds: float) -> None:
    assert pause_after(1.0, failures, 0.5) == seconds
