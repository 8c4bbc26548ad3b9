"""Items of one key are done together while others of it are done; other keys do not wait."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from app.kernel.batches import MOST_TOGETHER, Batches


class Work:
    """Notes what is done; the item `"first"` holds its key until it is let go."""

    def __init__(self, most_running: int = 1, patience_seconds: float = 30) -> None:
        self.batches: Batches[str, str] = Batches(most_running, patience_seconds)
        self.done: list[tuple[str, ...]] = []
        self.apart: set[str] = set()
        self.left_out: set[str] = set()
        self.broken: set[str] = set()
        self.began, self.goes_on = threading.Event(), threading.Event()

    def do(self, item: str, key: str = "key") -> str:
        return self.batches.do(key, item, self.together, self.alone)

    def together(self, items: Sequence[str]) -> list[str | None] | None:
        if self.broken.intersection(items):
            raise KeyError("together")
        if self.apart.intersection(items):
            return None
        self.done.append(tuple(item for item in items if item not in self.left_out))
        return [None if item in self.left_out else item.upper() for item in items]

    def alone(self, item: str) -> str:
        if item == "first":
            self.began.set()
            assert self.goes_on.wait(30)
        if item in self.apart:
            raise ValueError(item)
        self.done.append((item,))
        return item.upper()

    def run(self, items: Sequence[str]) -> list[Future[str]]:
        """Do the items in their order, all behind `"first"`, which is let go at the end."""
        pool = ThreadPoolExecutor(len(items) + 1)
        found = [pool.submit(self.do, "first")]
        assert self.began.wait(30)
        for place, item in enumerate(items):
            found.append(pool.submit(self.do, item))
            while len(self.batches._queues["key"].waiting) <= place:
                time.sleep(0.001)
        self.goes_on.set()
        pool.shutdown()
        return found[1:]


def test_an_item_that_meets_no_other_is_done_alone() -> None:
    work = Work()
    work.goes_on.set()
    assert [work.do("first"), work.do("b")] == ["FIRST", "B"]
    assert work.done == [("first",), ("b",)]
    assert work.batches._queues == {}


def test_items_that_wait_are_done_together_in_their_order() -> None:
    """Break: begin the next batch with one item."""
    work = Work()
    assert [one.result() for one in work.run(["b", "c", "d"])] == ["B", "C", "D"]
    assert work.done == [("first",), ("b", "c", "d")]
    assert work.batches._queues == {}


def test_a_batch_has_an_upper_bound() -> None:
    work = Work()
    items = [f"item {place}" for place in range(MOST_TOGETHER + 2)]
    assert [one.result() for one in work.run(items)] == [item.upper() for item in items]
    assert [len(batch) for batch in work.done] == [1, MOST_TOGETHER, 2]


def test_another_key_does_not_wait() -> None:
    """Break: use one queue for all keys."""
    work = Work()
    pool = ThreadPoolExecutor(1)
    first = pool.submit(work.do, "first")
    assert work.began.wait(30)
    assert work.do("b", key="other") == "B"
    work.goes_on.set()
    assert first.result() == "FIRST"


def test_as_many_batches_run_at_once_as_are_allowed() -> None:
    """Break: begin a batch only if none runs."""
    work = Work(most_running=2)
    pool = ThreadPoolExecutor(1)
    first = pool.submit(work.do, "first")
    assert work.began.wait(30)
    assert work.do("b") == "B"
    work.goes_on.set()
    assert first.result() == "FIRST"
    assert work.batches._queues == {}


def test_items_that_cannot_be_done_together_are_done_one_by_one() -> None:
    """Break: give the problem of one item to all."""
    work = Work()
    work.apart.add("c")
    b, c, d = work.run(["b", "c", "d"])
    assert (b.result(), d.result()) == ("B", "D")
    with pytest.raises(ValueError, match="c"):
        c.result()
    assert work.done == [("first",), ("b",), ("d",)]


def test_an_item_that_a_batch_leaves_out_is_done_by_its_own_thread() -> None:
    """Break: return None for it."""
    work = Work()
    work.left_out.add("c")
    assert [one.result() for one in work.run(["b", "c", "d"])] == ["B", "C", "D"]
    assert work.done == [("first",), ("b", "d"), ("c",)]


def test_a_problem_of_the_whole_batch_is_raised_by_each_thread() -> None:
    """Break: call `alone` after an error, which may have come after the commit."""
    work = Work()
    work.broken.add("c")
    for one in work.run(["b", "c", "d"]):
        with pytest.raises(KeyError):
            one.result()
    assert work.done == [("first",)]
    assert work.batches._queues == {}


def test_an_item_waits_only_for_so_long_for_a_slow_batch() -> None:
    """Break: wait for the running batch without a limit."""
    work = Work(patience_seconds=0)
    pool = ThreadPoolExecutor(1)
    first = pool.submit(work.do, "first")
    assert work.began.wait(30)
    assert [work.do("b"), work.do("c")] == ["B", "C"]
    work.goes_on.set()
    assert first.result() == "FIRST"
    assert work.done == [("b",), ("c",), ("first",)]
    assert work.batches._queues == {}
