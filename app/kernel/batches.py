"""Work that several threads have at the same time, which one of them does for all."""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.kernel.errors import ServiceUnavailable
from app.kernel.locks import taken_lock

MOST_TOGETHER = 32
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Item, Result]):
    """An item and its thread; with a ``batch``, the thread does all its items."""

    item: Item
    called: threading.Lock = field(default_factory=taken_lock)
    batch: "list[_Waiting[Item, Result]] | None" = None
    result: Result | None = None
    problem: BaseException | None = None


class Batches(Generic[Item, Result]):
    """The items that arrive while a batch of their key is done are its next batch."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._guard = threading.Lock()
        # The keys of running batches, with the items that wait, oldest first.
        self._waiting: dict[Hashable, list[_Waiting[Item, Result]]] = {}

    def do(
        self,
        key: Hashable,
        item: Item,
        together: Callable[[Sequence[Item]], Sequence[Result] | None],
        alone: Callable[[Item], Result],
    ) -> Result:
        """Return the item's result; raises `ServiceUnavailable` after the longest wait.

        ``together`` does several items; it returns None if it did nothing, and ``alone`` must do
        each.
        """
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._guard:
            waiting = self._waiting.get(key)
            if waiting is None:
                self._waiting[key] = []
                mine.batch = [mine]
            else:
                waiting.append(mine)
        if mine.batch is None:
            self._await(waiting or [], mine)
        if mine.batch is not None:
            try:
                _do_all(mine.batch, together, alone)
            finally:
                self._begin_next(key)
                for other in mine.batch[1:]:
                    other.called.release()
        if mine.problem is not None:
            raise mine.problem
        return mine.result  # type: ignore[return-value]  # it is set without a problem

    def _await(self, waiting: list[_Waiting[Item, Result]], mine: _Waiting[Item, Result]) -> None:
        if mine.called.acquire(timeout=self._wait_seconds):
            return
        with self._guard:
            if mine in waiting:
                waiting.remove(mine)
                raise ServiceUnavailable
        mine.called.acquire()  # its batch has begun, and ends within the limits of the database

    def _begin_next(self, key: Hashable) -> None:
        with self._guard:
            waiting = self._waiting[key]
            if not waiting:
                del self._waiting[key]
                return
            batch = waiting[:MOST_TOGETHER]
            del waiting[:MOST_TOGETHER]
            batch[0].batch = batch
        batch[0].called.release()


def _do_all(
    batch: list[_Waiting[Item, Result]],
    together: Callable[[Sequence[Item]], Sequence[Result] | None],
    alone: Callable[[Item], Result],
) -> None:
    """Set each item's result or problem."""
    if len(batch) > 1:
        try:
            results = together([one.item for one in batch])
        except BaseException as problem:  # noqa: BLE001  # each thread raises it
            for one in batch:
                one.problem = problem
            return
        if results is not None:
            for one, result in zip(batch, results, strict=True):
                one.result = result
            return
    for one in batch:
        try:
            one.result = alone(one.item)
        except BaseException as problem:  # noqa: BLE001
            one.problem = problem
