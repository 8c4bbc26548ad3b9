"""An HTTP exchange with another server under one deadline.

A socket timeout restarts with every byte, so a slow peer may never reach it.
"""

import io
import queue
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from http.client import HTTPException
from typing import Any, cast
from urllib.parse import urlsplit

from app.http_answer import HEADER_NAME, FinalAnswer

Resolve = Callable[[str, int], list[str]]
_BUFFER_BYTES = 16 * 1024
_HEAD = re.compile(
    rf"[A-Z]+ [!-~]+ HTTP/1\.1\r\n(?:{HEADER_NAME}: [\t\x20-\x7e\x80-\xff]*\r\n)+", re.ASCII
)
# A socket's own timeout may differ by so much from the deadline: setting it is a system call.
_TOLERANCE_SECONDS = 0.05
# A firewall or NAT gateway may drop an idle connection without a sign: a send would be lost in it.
_IDLE_SECONDS = 60


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
    """A socket for `http.client`, with a deadline."""

    def __init__(self, opened: socket.socket, deadline: Deadline) -> None:
        self._opened = opened
        self._armed: float | None = None
        self._unexpected = select.poll()
        self._unexpected.register(opened, select.POLLIN)
        self.deadline = deadline
        self._has_leftover = False

    def sendall(self, data: Any) -> None:
        unsent = memoryview(data)
        while unsent:
            self._arm()
            unsent = unsent[self._opened.send(unsent) :]

    def receive_into(self, buffer: Any) -> int:
        self._arm()
        return self._opened.recv_into(buffer)

    def _arm(self) -> None:
        left = self.deadline.remaining()
        if self._armed is None or abs(left - self._armed) > _TOLERANCE_SECONDS:
            self._opened.settimeout(left)
            self._armed = left

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return _AnswerReader(self)

    def end_answer(self, leftover: bytes) -> None:
        self._has_leftover = self._has_leftover or bool(leftover)

    @property
    def is_quiet(self) -> bool:
        """Whether the connection is open, and the peer sent no more than its answers."""
        pending: Callable[[], int] = getattr(self._opened, "pending", int)
        return not (self._has_leftover or pending() or self._unexpected.poll(0))

    def close(self) -> None:
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


def start_tls(
    opened: socket.socket, host: str, tls: ssl.SSLContext, deadline: Deadline
) -> ssl.SSLSocket:
    """Raises `OSError`; the socket is closed then."""
    try:
        opened.settimeout(deadline.remaining())
        return tls.wrap_socket(opened, server_hostname=host)
    except BaseException:
        opened.close()
        raise


class NoConnection(Exception):
    """No connection could be made: the request was not sent."""


def _open_in_time(host: str, port: int, deadline: Deadline) -> socket.socket:
    opened = open_first(look_up_in_time(look_up, host, port, deadline), port, deadline)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


class Server:
    """The connections to a server that wait for the next request."""

    def __init__(
        self, origin: str, *, keep: int, connect_seconds: float, tls: ssl.SSLContext | None
    ) -> None:
        parts = urlsplit(origin)
        self.authority, self.path = parts.netloc, parts.path
        self._host = parts.hostname or ""
        self._is_tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._keep, self._connect_seconds, self._given_tls = keep, connect_seconds, tls
        self._idle: list[tuple[float, TimedSocket]] = []

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or ssl.create_default_context()

    def take(self) -> TimedSocket:
        """Return the connection that was used last, or a new one; raises `NoConnection`."""
        while self._idle:
            with suppress(IndexError):  # another thread took it
                since, kept = self._idle.pop()
                if kept.is_quiet and time.monotonic() - since < _IDLE_SECONDS:
                    return kept
                kept.close()
        deadline = Deadline(self._connect_seconds)
        try:
            opened = _open_in_time(self._host, self._port, deadline)
            if self._is_tls:
                opened = start_tls(opened, self._host, self._tls, deadline)
        except Exception as problem:
            raise NoConnection(type(problem).__name__) from problem
        return TimedSocket(opened, deadline)

    def put_back(self, connection: TimedSocket) -> None:
        if len(self._idle) < self._keep:
            self._idle.append((time.monotonic(), connection))
        else:
            connection.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()


def send_request(
    connection: TimedSocket,
    line: tuple[str, str],
    authority: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> FinalAnswer:
    """Send method and target in one packet with the rest, and read the head of the answer.

    Raises `ValueError` for a header that cannot be sent, `OSError` or `HTTPException`.
    """
    sent = {"Host": authority, "Accept-Encoding": "identity", **headers}
    if body is not None or line[0] != "GET":
        sent["Content-Length"] = str(len(body or b""))
    head = " ".join((*line, "HTTP/1.1\r\n"))
    head += "".join([f"{name}: {value}\r\n" for name, value in sent.items()])
    if not _HEAD.fullmatch(head) or head.count("\n") != len(sent) + 1:
        raise ValueError("a part of the request cannot be sent")
    connection.sendall(f"{head}\r\n".encode("latin-1") + (body or b""))
    answer = FinalAnswer(cast("socket.socket", connection), method=line[0])
    try:
        answer.begin()
    except BaseException:
        answer.close()
        raise
    return answer
