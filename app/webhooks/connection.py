"""Connections to permitted addresses only.

The name is resolved once, and the socket is opened to a checked address, so a later DNS change has
no effect. One deadline covers look-up, connection, TLS and the response. No proxy is used, because
it would choose the address.
"""

import socket
import ssl

from app.http_exchange import Deadline, Resolve, TimedSocket, look_up_in_time, open_first
from app.webhooks.address import Target, may_reach
from app.webhooks.attempt import Failure, NotDelivered


def permitted_addresses(
    target: Target, resolve: Resolve, deadline: Deadline, *, allow_loopback: bool
) -> list[str]:
    """Return the addresses of a host if all of them are permitted.

    Raises `NotDelivered` if there is none or one is not permitted, `TimeoutError` if the
    look-up takes too long.
    """
    try:
        found = look_up_in_time(resolve, target.host, target.port, deadline)
    except (OSError, UnicodeError) as problem:
        if isinstance(problem, TimeoutError):
            raise
        raise NotDelivered(Failure.NAME_NOT_FOUND) from problem
    if not found:
        raise NotDelivered(Failure.NAME_NOT_FOUND)
    if not all(may_reach(one, target, allow_loopback=allow_loopback) for one in found):
        raise NotDelivered(Failure.ADDRESS_REFUSED)
    return found


def connect(
    target: Target, addresses: list[str], deadline: Deadline, tls: ssl.SSLContext
) -> TimedSocket:
    """Open a socket to the first address that answers, with TLS for the host name.

    Raises `NotDelivered` if no address answers or the certificate is not valid, `TimeoutError`
    if it takes too long.
    """
    raw = _open(addresses, target.port, deadline)
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


def _open(addresses: list[str], port: int, deadline: Deadline) -> socket.socket:
    try:
        return open_first(addresses, port, deadline)
    except TimeoutError:
        raise
    except OSError as problem:
        raise NotDelivered(Failure.NOT_CONNECTED) from problem
