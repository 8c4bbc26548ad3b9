"""An HTTP exchange with another server under one deadline.

A socket timeout restarts with every byte, so a slow peer may never reach it.
"""

import io
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from app.http_answer import HEADER_NAME, FinalAnswer

Resolve = Callable[[str, int], list[str]]
_BUFFER_BYTES = 16 * 1024
_HEADER = re.compile(rf"{HEADER_NAME}: [\t\x20-\x7e\x80-\xff]*", re.ASCII)


class Deadline:
    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Return the remaining seconds; raises `TimeoutError` if there are none."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def shorten(self, seconds: float) -> None:
        """Leave at most so many seconds from now."""
        self._end = min(self._end, self._monotonic() + seconds)


class TimedSocket:
    """A socket for `http.client` and urllib3, with a deadline."""

    def __init__(self, opened: socket.socket, deadline: Deadline) -> None:
        self._opened = opened
        self.deadline = deadline
        self._readers = 0
        self._is_closed = False
        self._has_leftover = False

    def settimeout(self, seconds: float) -> None:
        """Start a deadline for everything that follows."""
        self.deadline = Deadline(seconds)

    def sendall(self, data: Any) -> None:
        unsent = memoryview(data)
        while unsent:
            self._opened.settimeout(self.deadline.remaining())
            unsent = unsent[self._opened.send(unsent) :]

    def receive_into(self, buffer: Any) -> int:
        self._opened.settimeout(self.deadline.remaining())
        return self._opened.recv_into(buffer)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        self._readers += 1
        return _AnswerReader(self)

    def end_answer(self, leftover: bytes) -> None:
        self._has_leftover = self._has_leftover or bool(leftover)
        self._readers -= 1
        self._close_if_unused()

    @property
    def has_unread(self) -> bool:
        """Whether the peer sent more than its answers."""
        pending: Callable[[], int] = getattr(self._opened, "pending", int)
        return self._has_leftover or pending() > 0

    def fileno(self) -> int:
        return self._opened.fileno()

    def shutdown(self, how: int) -> None:
        self._opened.shutdown(how)

    def close(self) -> None:
        """Close the connection once the current answer is closed."""
        self._is_closed = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._is_closed and not self._readers:
            self._opened.close()


class _AnswerReader(io.BufferedReader):
    """Reads one answer, and reports the bytes that follow it."""

    def __init__(self, opened: TimedSocket) -> None:
        self._source = _Source(opened)
        self._of = opened
        super().__init__(self._source, buffer_size=_BUFFER_BYTES)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Raises `HTTPException` if the line does not end, or could be read as two."""
        line = super().readline(size)
        if not line.endswith(b"\n"):
            raise HTTPException("the answer ends in a line" if line else "the answer ends early")
        if b"\r" in line[:-2] or line.endswith(b"\r\r\n") or b"\0" in line:
            raise HTTPException("a line of the answer holds a control character")
        return line

    def close(self) -> None:
        if not self.closed:
            self._source.is_over = True
            self._of.end_answer(self.peek(1))
        super().close()


class _Source(io.RawIOBase):
    def __init__(self, opened: TimedSocket) -> None:
        self._of = opened
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0 if self.is_over else self._of.receive_into(buffer)


def look_up(host: str, port: int) -> list[str]:
    """Resolve a host; the best address is first."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def look_up_in_time(resolve: Resolve, host: str, port: int, deadline: Deadline) -> list[str]:
    """Resolve in a thread, because the system's look-up has no time limit.

    Raises `TimeoutError`; the thread then ends by itself.
    """
    done: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(resolve(host, port))
        except Exception as problem:  # noqa: BLE001
            done.put(problem)

    threading.Thread(target=run, name="look-up", daemon=True).start()
    try:
        found = done.get(timeout=deadline.remaining())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return found


def open_first(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers.

    Raises `OSError`, or `TimeoutError` if the last one was silent.
    """
    last = OSError("the host has no address")
    for place, address in enumerate(addresses):
        # A silent address must not use up the time of the next ones.
        patience = deadline.remaining() / (len(addresses) - place)
        try:
            return socket.create_connection((address, port), timeout=patience)
        except OSError as problem:
            last = problem
    raise last


class NoConnection(Exception):
    """No connection could be made: the request was not sent."""


def _open_in_time(host: str, port: int, deadline: Deadline) -> socket.socket:
    opened = open_first(look_up_in_time(look_up, host, port, deadline), port, deadline)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


class _StrictConnection(HTTPConnection):
    """Has one deadline for each answer and reads strictly."""

    response_class = FinalAnswer
    _unsent: bytearray | None = None

    def request(self, *given: Any, **options: Any) -> None:
        """Send head and body at once; urllib3 sends them in two packets."""
        unsent = self._unsent = bytearray()
        try:
            super().request(*given, **options)
        finally:
            self._unsent = None
        self.send(unsent)

    def send(self, data: Any) -> None:
        if self._unsent is None:
            super().send(data)
        else:
            self._unsent += data

    def putheader(self, header: Any, *values: Any) -> None:
        """Write a usual header with fewer calls."""
        is_text = len(values) == 1 and isinstance(header, str) and isinstance(values[0], str)
        if is_text and _HEADER.fullmatch(line := f"{header}: {values[0]}"):
            self._output(line.encode("latin-1"))  # type: ignore[attr-defined]
        else:  # another kind of value, or an error
            super().putheader(header, *values)

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open and has no unexpected bytes."""
        has_unread = isinstance(self.sock, TimedSocket) and self.sock.has_unread
        return super().is_connected and not has_unread

    def _new_deadline(self) -> Deadline:
        return Deadline(float(self.timeout or 0))


class _PlainConnection(_StrictConnection):
    def connect(self) -> None:
        try:
            opened = _open_in_time(self._dns_host, self.port, self._new_deadline())
        except Exception as problem:
            raise NoConnection(type(problem).__name__) from problem
        self.sock = TimedSocket(opened, self._new_deadline())


class _TlsConnection(_StrictConnection, HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except Exception as problem:
            raise NoConnection(type(problem).__name__) from problem
        self.sock = TimedSocket(self.sock, self._new_deadline())

    def _new_conn(self) -> socket.socket:
        deadline = self._new_deadline()
        opened = _open_in_time(self._dns_host, self.port, deadline)
        opened.settimeout(deadline.remaining())  # for the handshake
        return opened


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


# For `pool_classes_by_scheme` of urllib3's `PoolManager`.
POOLS = {"http": _PlainPool, "https": _TlsPool}
