"""A client's connection in the event loop; its methods never block."""

import resource
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from app.web.server.request_reader import RequestReader

_READ_BYTES = 64 * 1024
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


@dataclass(slots=True)
class Outbox:
    """Collects the answer that gunicorn writes to a socket."""

    parts: list[bytes] = field(default_factory=list)

    def sendall(self, data: bytes) -> None:
        self.parts.append(data)


def allow_connections(wanted: int) -> int:
    """Raise the limit of open files; return the possible number of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _DESCRIPTORS_FOR_OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, max(soft // 2, soft - _DESCRIPTORS_FOR_OTHERS))
