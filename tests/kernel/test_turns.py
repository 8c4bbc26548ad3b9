"""Threads with one key run one after another."""

import threading

import pytest

from app.kernel.errors import ServiceUnavailable
from app.kernel.turns import Turns


def test_threads_with_one_key_run_one_after_another() -> None:
    """Break: do not take the lock."""
    turns = Turns(wait_seconds=30)
    inside, most = 0, 0
    guard = threading.Lock()

    def run() -> None:
        nonlocal inside, most
        for _ in range(200):
            with turns.take("key"):
                with guard:
                    inside += 1
                    most = max(most, inside)
                threading.Event().wait(0)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_other_keys_run_at_once() -> None:
    turns = Turns(wait_seconds=0)
    with turns.take(0), turns.take(1):
        pass


def test_a_thread_that_waits_too_long_gives_up() -> None:
    turns = Turns(wait_seconds=0)
    with turns.take("key"), pytest.raises(ServiceUnavailable), turns.take("key"):
        pass
    with turns.take("key"):
        pass


def test_an_error_ends_the_turn() -> None:
    """Break: release the lock only after a success."""
    turns = Turns(wait_seconds=0)
    with pytest.raises(KeyError), turns.take("key"):
        raise KeyError
    with turns.take("key"):
        pass
