"""A client's connection in the event loop; its methods never block."""

import resource
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from gunicorn.util import http_date

from app.web.server.request_reader import RequestReader

_READ_BYTES = 64 * 1024
_WITHOUT_BODY = ("204", "304")
NEVER = float("inf")
# File descriptors reserved for the database, Twilio, logs and metrics.
_DESCRIPTORS_FOR_OTHERS = 256


class Phase(Enum):
    IDLE = auto()  # the first byte of the next request
    HEAD = auto()
    BODY = auto()
    RUNNING = auto()  # a thread
    WAITING = auto()  # until its request may run again
    ANSWERING = auto()
    CLOSING = auto()  # the client, which reads the last answer
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Deadlines:
    """In seconds."""

    head: float = 10.0
    body: float = 20.0
    place: float = 2.0  # see `app.web.waiting`
    answer: float = 20.0
    gone: float = 2.0


INCOMPLETE = frozenset({Phase.IDLE, Phase.HEAD, Phase.BODY})
BUSY = frozenset({Phase.RUNNING, Phase.WAITING})


@dataclass(eq=False, slots=True)
class Connection:
    """A connection and its request; a thread may use it only while it runs the request."""

    sock: socket.socket
    client: Any
    server: Any
    reader: RequestReader
    poller: selectors.BaseSelector
    on_event: Callable[["Connection"], None]
    deadline: float
    phase: Phase = Phase.HEAD
    watched: int = 0
    request: Any = None
    unsent: bytes = b""
    keep_alive: bool = False
    may_wait: bool = True
    condition: Callable[[], bool] | None = None

    def receive(self) -> bytes | None:
        """Return the arrived bytes, b"" if the client has closed, or None."""
        try:
            return self.sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def invite_body(self) -> None:
        try:
            self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            return  # if no body follows, the deadline ends the connection

    def send(self) -> None:
        try:
            self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.unsent, self.keep_alive = b"", False

    def watch(self, events: int) -> None:
        if events == self.watched:
            return
        if not self.watched:
            self.poller.register(self.sock, events, self._notify)
        elif events:
            self.poller.modify(self.sock, events, self._notify)
        else:
            self.poller.unregister(self.sock)
        self.watched = events

    def _notify(self, _sock: socket.socket) -> None:
        if self.phase is not Phase.CLOSED:
            self.on_event(self)

    def end_writing(self) -> bool:
        """End the answer; return False if the client is gone.

        Closing with unread bytes would reset the connection and lose the answer.
        """
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self.watch(0)
        self.phase = Phase.CLOSED
        self.sock.close()


@lru_cache(maxsize=1)
def _date(_second: int) -> str:
    date: str = http_date()
    return date


class AnswerWriter:
    """Collects the answer of the application; gunicorn creates it with the environment.

    Unlike gunicorn's response, it knows the whole answer, which therefore needs no chunks.
    """

    def __init__(self, request: Any, _sock: None, _cfg: Any) -> None:
        self._request = request
        self._head: tuple[str, list[tuple[str, str]]] | None = None
        self.parts: list[bytes] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], _exc_info: object = None
    ) -> Callable[[bytes], None]:
        self._head = (status, headers)
        return self.parts.append

    def written(self, *, keep_alive: bool) -> bytes:
        """Raises ``ValueError`` for headers that HTTP cannot transport."""
        if self._head is None:
            raise ValueError("the application did not start its answer")
        status, headers = self._head
        body = b"".join(self.parts)
        lines = [
            f"HTTP/1.1 {status}",
            "Server: gunicorn",
            f"Date: {_date(int(time.monotonic()))}",
            f"Connection: {'keep-alive' if keep_alive else 'close'}",
        ]
        lines += [f"{name}: {value}" for name, value in headers]
        has_body = self._request.method != "HEAD" and not status.startswith(_WITHOUT_BODY)
        if has_body and not any(name.lower() == "content-length" for name, _ in headers):
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines)
        if head.count("\n") + 1 != len(lines) or head.count("\r") + 1 != len(lines):
            raise ValueError("a header has a line break")
        written = f"{head}\r\n\r\n".encode("latin-1")
        return written + body if has_body else written


def allow_connections(wanted: int) -> int:
    """Raise the limit of open files; return the possible number of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _DESCRIPTORS_FOR_OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, max(soft // 2, soft - _DESCRIPTORS_FOR_OTHERS))
