"""A connection to a checked address: resolve, refuse what may not be reached, connect to the rest.

The name is looked up once, and the socket is opened to an address of that answer, so that a DNS
that changes its mind changes nothing. One deadline covers the look-up, the connection, TLS and
every byte of the answer, so that no receiver holds a worker by being slow. No proxy is used: it
would choose the address.
"""

import queue
import socket
import ssl
import threading
from collections.abc import Callable

from app.webhooks.address import Target, may_reach
from app.webhooks.attempt import Failure, NotDelivered
from app.webhooks.deadline import Deadline, TimedSocket

Resolve = Callable[[str, int], list[str]]


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
) -> TimedSocket:
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
    last = OSError()
    for place, address in enumerate(addresses):
        # One that is silent must not use up the time of those after it.
        patience = deadline.remaining() / (len(addresses) - place)
        try:
            return socket.create_connection((address, port), timeout=patience)
        except OSError as problem:
            last = problem
    if isinstance(last, TimeoutError):
        raise last
    raise NotDelivered(Failure.NOT_CONNECTED) from last
