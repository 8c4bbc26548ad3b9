"""Work that several threads have at the same time, which one of them does for all."""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.kernel.locks import taken_lock

MOST_TOGETHER = 32
_PATIENCE_SECONDS = 0.1
# With one, each item waits for the commit before its own; more make the batches smaller.
_MOST_RUNNING = 2
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
    is_left_out: bool = False


@dataclass(eq=False, slots=True)
class _Queue(Generic[Item, Result]):
    """The items of one key that wait, oldest first, and the number of running batches."""

    running: int = 0
    waiting: list[_Waiting[Item, Result]] = field(default_factory=list)

    def begin(self) -> None:
        """Make all that wait a batch, up to a limit, which the thread of the first item does."""
        batch = self.waiting[:MOST_TOGETHER]
        del self.waiting[:MOST_TOGETHER]
        self.running += 1
        batch[0].batch = batch
        batch[0].called.release()


class Batches(Generic[Item, Result]):
    """The items that arrive while batches of their key run are its next batch.

    No item waits long: if the batches are slow, as for a lock in the database, the next one begins.
    """

    def __init__(
        self, most_running: int = _MOST_RUNNING, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        self._most_running = most_running
        self._patience_seconds = patience_seconds
        self._guard = threading.Lock()
        self._queues: dict[Hashable, _Queue[Item, Result]] = {}

    def do(
        self,
        key: Hashable,
        item: Item,
        together: Callable[[Sequence[Item]], Sequence[Result | None] | None],
        alone: Callable[[Item], Result],
    ) -> Result:
        """Return the item's result.

        ``together`` does several items, and returns None for those that it leaves out: their own
        threads do them with ``alone``. If it returns None for all, they are done one by one.
        """
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._guard:
            queue = self._queues.setdefault(key, _Queue())
            queue.waiting.append(mine)
            if queue.running < self._most_running:
                queue.begin()
        if not mine.called.acquire(timeout=self._patience_seconds):
            self._stop_waiting(queue, mine)
        if mine.batch is not None:
            try:
                _do_all(mine.batch, together, alone)
            finally:
                self._end(key, queue)
                for other in mine.batch[1:]:
                    other.called.release()
        if mine.is_left_out:
            return alone(item)
        if mine.problem is not None:
            raise mine.problem
        return mine.result  # type: ignore[return-value]  # it is set without a problem

    def _stop_waiting(self, queue: _Queue[Item, Result], mine: _Waiting[Item, Result]) -> None:
        with self._guard:
            if mine in queue.waiting:
                queue.waiting.remove(mine)
                queue.waiting.insert(0, mine)
                queue.begin()
        mine.called.acquire()  # a batch with it has begun

    def _end(self, key: Hashable, queue: _Queue[Item, Result]) -> None:
        with self._guard:
            queue.running -= 1
            if queue.waiting:
                queue.begin()
            elif not queue.running:
                del self._queues[key]


def _do_all(
    batch: list[_Waiting[Item, Result]],
    together: Callable[[Sequence[Item]], Sequence[Result | None] | None],
    alone: Callable[[Item], Result],
) -> None:
    """Set each item's result or problem, or that it is left out."""
    if len(batch) > 1:
        try:
            results = together([one.item for one in batch])
        except BaseException as problem:  # noqa: BLE001  # each thread raises it
            for one in batch:
                one.problem = problem
            return
        if results is not None:
            for one, result in zip(batch, results, strict=True):
                one.result, one.is_left_out = result, result is None
            return
    for one in batch:
        try:
            one.result = alone(one.item)
        except BaseException as problem:  # noqa: BLE001
            one.problem = problem
