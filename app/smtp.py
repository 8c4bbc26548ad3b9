"""Mails, and connections to the SMTP server that takes them."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from app.kernel.mail import MailServer

_SOCKET_SECONDS = 10.0


def host_of(public_url: str) -> str:
    """Return the host that mails name as their origin."""
    return urlsplit(public_url).hostname or "localhost"


def new_message(server: MailServer, to: str, subject: str) -> EmailMessage:
    """Begin a mail that no person has written."""
    # Imported here: it takes 0.7 MiB, and most web processes write no mail.
    from email.policy import SMTP  # noqa: PLC0415

    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = server.sender, to
    message["Subject"] = subject
    message["Auto-Submitted"] = "auto-generated"
    return message


def describe_failure(problem: Exception) -> dict[str, object]:
    """Describe it for the log, without the server's words, which may hold addresses."""
    return {"why": type(problem).__name__, "code": getattr(problem, "smtp_code", None)}


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
    client = _Tls(context=make_context(), **options) if server.is_tls else _Plain(**options)
    client.name_peer(server.host)
    deadline = threading.Timer(within_seconds, client.cut)
    deadline.start()
    try:
        client.connect(server.host, server.port)
        if server.needs_starttls:
            client.starttls(context=make_context())
        if server.user is not None:
            client.login(server.user, server.password or "")
        yield client
        with suppress(OSError, smtplib.SMTPException):  # the mails were taken
            client.quit()
    finally:
        deadline.cancel()
        client.close()
        client.let_go()


class _Plain(smtplib.SMTP):
    """A connection that another thread can end, also before the greeting or in a TLS handshake.

    It keeps a second descriptor, because TLS takes the socket away before its handshake.
    """

    _kept: socket.socket | None = None
    _is_over = False

    def name_peer(self, host: str) -> None:
        """Set the name of the certificate, as a constructor that connects would."""
        self._host = host

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._kept = opened.dup()
        if self._is_over:
            self.cut()
        return opened

    def cut(self) -> None:
        self._is_over = True
        if self._kept is not None:
            with suppress(OSError):  # it has ended by itself
                self._kept.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        if self._kept is not None:
            self._kept.close()


class _Tls(smtplib.SMTP_SSL, _Plain):
    """Encrypted from the beginning."""
