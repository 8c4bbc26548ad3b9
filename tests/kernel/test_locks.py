"""Threads with one key run one after another."""

import threading
import time

import pytest

from app.kernel.errors import ServiceUnavailable
from app.kernel.locks import KeyedLocks


def test_threads_with_one_key_run_one_after_another() -> None:
    """Break: do not take the lock."""
    locks = KeyedLocks(wait_seconds=30)
    inside, most = 0, 0
    guard = threading.Lock()

    def run() -> None:
        nonlocal inside, most
        for _ in range(200):
            with locks.holding("key"):
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
    locks = KeyedLocks(wait_seconds=0)
    with locks.holding(0), locks.holding(1):
        pass


def test_a_thread_that_waits_too_long_gives_up() -> None:
    locks = KeyedLocks(wait_seconds=0)
    with locks.holding("key"), pytest.raises(ServiceUnavailable), locks.holding("key"):
        pass
    with locks.holding("key"):
        pass


def test_an_error_ends_the_turn() -> None:
    """Break: release the lock only after a success."""
    locks = KeyedLocks(wait_seconds=0)
    with pytest.raises(KeyError), locks.holding("key"):
        raise KeyError
    with locks.holding("key"):
        pass


def test_the_thread_that_waits_longest_is_next() -> None:
    """Break: call the newest waiting thread."""
    locks = KeyedLocks(wait_seconds=30)
    order: list[int] = []

    def run(place: int) -> None:
        with locks.holding("key"):
            order.append(place)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(4)]
    with locks.holding("key"):
        for place, thread in enumerate(threads):
            thread.start()
            while sum(len(lock._waiting) for lock in locks._locks) <= place:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3]
