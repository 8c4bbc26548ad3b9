"""The threads that run requests: as few as needed, never more than the limit, and no item is lost."""

import threading
from queue import SimpleQueue

import pytest

from app.web.server.threads import Threads

WAIT_SECONDS = 20


def test_a_free_thread_runs_before_a_new_one_starts() -> None:
    """Break: in `Threads._serve`, leave out `self._free.append(inbox)`."""
    ran: SimpleQueue[str] = SimpleQueue()
    threads: Threads[int] = Threads(
        8, lambda _item: ran.put(threading.current_thread().name), lambda _item: True
    )
    names = set()
    for item in range(20):
        threads.submit(item)
        names.add(ran.get(timeout=WAIT_SECONDS))
        while not threads._free:  # the thread has run the item and becomes free
            threading.Event().wait(0.001)
    assert len(names) == 1
    threads.shutdown(wait=False)


@pytest.mark.parametrize("most", [1, 3])
def test_items_beyond_the_limit_wait_and_run_in_order(most: int) -> None:
    """Break: in `Threads.submit`, start a thread for each item."""
    may_run = threading.Event()
    running: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[int] = SimpleQueue()

    def run(item: int) -> None:
        running.put(item)
        assert may_run.wait(WAIT_SECONDS)
        done.put(item)

    threads: Threads[int] = Threads(most, run, lambda _item: True)
    for item in range(10):
        threads.submit(item)
    begun = [running.get(timeout=WAIT_SECONDS) for _ in range(most)]
    assert running.empty()
    may_run.set()
    assert {done.get(timeout=WAIT_SECONDS) for _ in range(10)} == set(range(10))
    assert sorted(begun) == list(range(most))
    later = [running.get(timeout=WAIT_SECONDS) for _ in range(10 - most)]
    assert later == list(range(most, 10)) if most == 1 else set(later) == set(range(most, 10))
    threads.shutdown(wait=False)


def test_the_last_two_threads_run_only_items_that_come_first() -> None:
    """Break: in `Threads.submit`, hold no item. Slow requests would take the threads of callbacks."""
    may_run = threading.Event()
    begun: SimpleQueue[str] = SimpleQueue()

    def run(item: str) -> None:
        begun.put(item)
        if item != "callback":
            assert may_run.wait(WAIT_SECONDS)

    threads: Threads[str] = Threads(4, run, lambda item: item == "callback")
    for item in ["a", "b", "c", "d", "e", "callback", "callback", "callback"]:
        threads.submit(item)
    first = [begun.get(timeout=WAIT_SECONDS) for _ in range(5)]
    assert sorted(first) == ["a", "b", "callback", "callback", "callback"]
    assert begun.empty()
    may_run.set()
    assert sorted(begun.get(timeout=WAIT_SECONDS) for _ in range(3)) == ["c", "d", "e"]
    threads.submit("f")
    assert begun.get(timeout=WAIT_SECONDS) == "f"
    threads.shutdown(wait=False)
