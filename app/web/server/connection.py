"""One client's connection, as the event loop sees it; no call here blocks."""

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
# File descriptors that connections never take: the database, Twilio, logs, metrics.
_DESCRIPTORS_FOR_OTHERS = 256


class Phase(Enum):
    """What a connection waits for."""

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
    """How many seconds each part of an exchange may take."""

    head: float = 10.0
    body: float = 20.0
    place: float = 2.0  # see `app.web.waiting`
    answer: float = 20.0
    gone: float = 2.0


INCOMPLETE = frozenset({Phase.IDLE, Phase.HEAD, Phase.BODY})


@dataclass(eq=False, slots=True)
class Connection:
    """A connection and its request; a thread may use it only while it runs that request."""

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
        """Return the bytes that have arrived, none where the client has closed; None: not yet."""
        try:
            return self.sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def invite_body(self) -> None:
        """Send an interim answer to a client that waits for one before it sends its body."""
        try:
            self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            return  # without its body, the deadline ends the connection

    def send(self) -> None:
        """Send of the answer as much as the client takes."""
        try:
            self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.unsent, self.keep_alive = b"", False

    def watch(self, events: int) -> None:
        """Have the poller watch for these events, or for none."""
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
        """Say that no answer follows; False where the client is gone.

        Closed with bytes unread, the connection would be reset and the last answer lost.
        """
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        self.watch(0)
        self.phase = Phase.CLOSED
        self.sock.close()


@dataclass(slots=True)
class Outbox:
    """Stands in for the socket that gunicorn writes an answer to."""

    parts: list[bytes] = field(default_factory=list)

    def sendall(self, data: bytes) -> None:
        """Keep the data."""
        self.parts.append(data)


def allow_connections(wanted: int) -> int:
    """Raise the limit of open files for this many connections; return how many it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _DESCRIPTORS_FOR_OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, max(soft // 2, soft - _DESCRIPTORS_FOR_OTHERS))
