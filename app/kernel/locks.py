"""A lock in the order of arrival: Python's own may let newer threads pass for seconds."""

import threading
from dataclasses import dataclass


def taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    shares: bool
    called: threading.Lock


class FairLock:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_taken = False
        self._waiting: list[_Waiter] = []

    def acquire(self, seconds: float, *, shares: bool = False) -> bool:
        """Return False after the longest wait; for ``shares`` see `pass_to_sharing`."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            waiter = _Waiter(shares, taken_lock())
            self._waiting.append(waiter)
        try:
            is_called = waiter.called.acquire(timeout=seconds)
        except BaseException:
            if not self._has_left(waiter):
                self.release()
            raise
        return is_called or not self._has_left(waiter)

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.pop(0).called.release()
            else:
                self._is_taken = False

    def pass_to_sharing(self) -> bool:
        """Give the lock to the next thread if it shares; return False if it stays here."""
        with self._guard:
            if not self._waiting or not self._waiting[0].shares:
                return False
            self._waiting.pop(0).called.release()
            return True

    def _has_left(self, waiter: _Waiter) -> bool:
        """Leave the queue; False if the lock has just come."""
        with self._guard:
            if waiter not in self._waiting:
                return False
            self._waiting.remove(waiter)
            return True
