"""One time limit for a whole exchange: no byte that comes late extends it."""

import io
import socket
import time
from collections.abc import Callable
from typing import Any


class Deadline:
    """The time that one exchange may take in all."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def shorten(self, seconds: float) -> None:
        """Leave at most so many seconds from now."""
        self._end = min(self._end, self._monotonic() + seconds)


class TimedSocket:
    """The part of a socket that `http.client` uses, with a deadline instead of a timeout."""

    def __init__(self, opened: socket.socket, deadline: Deadline) -> None:
        self._opened = opened
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        """Send all of it in time."""
        self._opened.settimeout(self._deadline.remaining())
        self._opened.sendall(data)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return a reader that reads little ahead, and in time."""
        return io.BufferedReader(_TimedReader(self._opened, self._deadline), buffer_size=1024)

    def close(self) -> None:
        """Close the connection."""
        self._opened.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, opened: socket.socket, deadline: Deadline) -> None:
        self._opened = opened
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._opened.settimeout(self._deadline.remaining())
        return self._opened.recv_into(buffer)
