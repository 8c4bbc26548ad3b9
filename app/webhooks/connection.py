"""A connection to a checked address: resolve, refuse what may not be reached, connect to what was
checked.

The name is looked up once, and the socket is opened to an address of that answer, so that a DNS
that changes its mind changes nothing. One deadline covers the look-up, the connection, TLS and
every byte of the answer, so that no receiver holds a worker by being slow. No proxy is used: it
would choose the address.
"""

import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from app.webhooks.address import Target, may_reach
from app.webhooks.attempt import Failure, NotDelivered

Resolve = Callable[[str, int], list[str]]


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


def look_up(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host, the best first."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def permitted_addresses(
    target: Target, resolve: Resolve, deadline: Deadline, *, allow_loopback: bool
) -> list[str]:
    """Return the addresses of a host if every one of them may be reached.

    Raises:
        NotDelivered: the host has no address, or one that may not be reached.
        TimeoutError: the look-up took too long.
    """
    try:
        found = _in_time(lambda: resolve(target.host, target.port), deadline)
    except (OSError, UnicodeError) as problem:
        if isinstance(problem, TimeoutError):
            raise
        raise NotDelivered(Failure.NAME_NOT_FOUND) from problem
    if not found:
        raise NotDelivered(Failure.NAME_NOT_FOUND)
    if not all(may_reach(one, target, allow_loopback=allow_loopback) for one in found):
        raise NotDelivered(Failure.ADDRESS_REFUSED)
    return found


def _in_time(work: Callable[[], list[str]], deadline: Deadline) -> list[str]:
    """Run what knows no time limit; late, it ends in its own thread and nobody looks."""
    done: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except Exception as problem:  # noqa: BLE001
            done.put(problem)

    threading.Thread(target=run, name="webhook-look-up", daemon=True).start()
    try:
        found = done.get(timeout=deadline.remaining())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return found


def connect(
    target: Target, addresses: list[str], deadline: Deadline, tls: ssl.SSLContext
) -> "TimedSocket":
    """Open a socket to the first address that answers; TLS is made for the name, not for it.

    Raises:
        NotDelivered: no address answers, or the receiver's certificate is not its name's.
        TimeoutError: it took too long.
    """
    raw = _first(addresses, target.port, deadline)
    try:
        if not target.is_tls:
            return TimedSocket(raw, deadline)
        raw.settimeout(deadline.remaining())
        return TimedSocket(tls.wrap_socket(raw, server_hostname=target.host), deadline)
    except BaseException as problem:
        raw.close()
        if isinstance(problem, OSError) and not isinstance(problem, TimeoutError):
            raise NotDelivered(Failure.TLS) from problem
        raise


def _first(addresses: list[str], port: int, deadline: Deadline) -> socket.socket:
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=deadline.remaining())
        except TimeoutError:
            raise
        except OSError:
            continue
    raise NotDelivered(Failure.NOT_CONNECTED)


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
