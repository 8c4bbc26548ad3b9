"""Connections to the SMTP server that takes our mail."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from app.kernel.mail_server import MailServer

_SOCKET_SECONDS = 10.0


def host_of(public_url: str) -> str:
    """Return the host that mails name as their origin."""
    return urlsplit(public_url).hostname or "localhost"


@contextmanager
def connected(
    server: MailServer,
    public_url: str,
    *,
    within_seconds: float,
    make_context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
) -> Iterator[smtplib.SMTP]:
    """Connect and log in; cut the connection off after a time, all calls together.

    Raises:
        OSError, SMTPException: the server cannot be reached, or refuses.
    """
    # A name of its own: the machine's name would be looked up, which may take long.
    options: dict[str, Any] = {"local_hostname": host_of(public_url), "timeout": _SOCKET_SECONDS}
    client = (
        smtplib.SMTP_SSL(server.host, server.port, context=make_context(), **options)
        if server.is_tls
        else smtplib.SMTP(server.host, server.port, **options)
    )
    deadline = threading.Timer(within_seconds, _cut, [client])
    deadline.start()
    try:
        if server.needs_starttls:
            client.starttls(context=make_context())
        if server.user is not None:
            client.login(server.user, server.password or "")
        yield client
        client.quit()
    finally:
        deadline.cancel()
        client.close()


def _cut(client: smtplib.SMTP) -> None:
    """End a connection on which the server answers too slowly."""
    if client.sock is not None:
        client.sock.shutdown(socket.SHUT_RDWR)
