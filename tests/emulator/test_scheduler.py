"""The scheduler: order, idleness, failures and the end."""

import logging
import threading

import pytest

from app.emulator.callbacks.scheduler import Scheduler
from support.polling import PATIENCE_SECONDS


def test_jobs_that_are_due_together_run_in_the_order_they_came() -> None:
    scheduler = Scheduler(workers=1)
    done: list[int] = []
    for number in range(20):
        scheduler.submit(0, lambda number=number: done.append(number))

    assert scheduler.wait_until_idle(PATIENCE_SECONDS)
    scheduler.close()
    assert done == list(range(20))


def test_a_later_job_does_not_hold_up_an_earlier_one() -> None:
    scheduler = Scheduler(workers=1)
    ran = threading.Event()
    scheduler.submit(300, lambda: None)
    scheduler.submit(0, ran.set)

    assert ran.wait(PATIENCE_SECONDS)
    assert not scheduler.wait_until_idle(0)
    scheduler.clear()
    assert scheduler.wait_until_idle(PATIENCE_SECONDS)
    scheduler.close()


def test_a_job_that_fails_is_logged_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Scheduler(workers=1)
    ran = threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        scheduler.submit(0, fail)
        scheduler.submit(0, ran.set)
        assert ran.wait(PATIENCE_SECONDS)
        scheduler.close()
    assert [record.getMessage() for record in caplog.records] == ["a job of the emulator failed"]


def test_after_closing_nothing_runs_any_more() -> None:
    scheduler = Scheduler(workers=2)
    done: list[int] = []
    scheduler.submit(300, lambda: done.append(1))
    scheduler.close()
    scheduler.submit(0, lambda: done.append(2))

    assert scheduler.wait_until_idle(0)
    assert done == []
