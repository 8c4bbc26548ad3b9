"""A small SMTP server on loopback: STARTTLS, AUTH PLAIN, and answers that a test sets."""

import base64
import email
import socket
import ssl
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from email.message import Message
from email.policy import default

from support.loopback_server import LoopbackServer
from support.polling import PATIENCE_SECONDS


@dataclass
class SmtpServer(LoopbackServer):
    """Serves each connection in a thread and keeps the mails that it took.

    ``refusals`` are answers to the next mails; `hang` stands for none at all. ``dribbles`` is said
    instead of everything else, and then more of it one byte at a time.
    """

    tls: ssl.SSLContext | None = None
    is_tls_first: bool = False
    password: str | None = None
    leaves_early: bool = False
    dribbles: bytes = b""
    dribbled_out: bool = False
    refusals: list[str] = field(default_factory=list)
    mails: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    def _serve(self, peer: socket.socket) -> None:
        peer.settimeout(PATIENCE_SECONDS)
        # The client may go away, or not trust the certificate.
        with suppress(OSError), ExitStack() as opened:
            opened.callback(peer.close)
            if self.dribbles:
                self._dribble(peer)
                return
            if self.is_tls_first and self.tls is not None:
                peer = opened.enter_context(self.tls.wrap_socket(peer, server_side=True))
            self._talk(peer, opened)

    def _dribble(self, peer: socket.socket) -> None:
        peer.sendall(self.dribbles)
        for _ in range(500):
            if self.closing.wait(0.02):
                return
            peer.sendall(b"x")
        self.dribbled_out = True

    def _talk(self, peer: socket.socket, opened: ExitStack) -> None:
        lines = opened.enter_context(peer.makefile("rb"))

        def say(text: str) -> None:
            peer.sendall(text.encode() + b"\r\n")

        say("220 ready")
        is_known = self.password is None
        while line := lines.readline().decode().strip():
            match line.split(" ")[0].upper():
                case "EHLO":
                    offers_tls = self.tls is not None and not isinstance(peer, ssl.SSLSocket)
                    say(
                        "250-test\r\n"
                        + ("250-STARTTLS\r\n" if offers_tls else "")
                        + "250 AUTH PLAIN"
                    )
                case "STARTTLS" if self.tls is not None:
                    say("220 go on")
                    peer = opened.enter_context(self.tls.wrap_socket(peer, server_side=True))
                    lines = opened.enter_context(peer.makefile("rb"))
                case "AUTH":
                    given = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                    is_known = given[2] == self.password
                    say("235 welcome" if is_known else "535 wrong password")
                case "MAIL" if not is_known:
                    say("530 sign in first")
                case "RCPT":
                    self.recipients.append(line.split(":")[1].strip("<> "))
                    say("250 yes")
                case "DATA":
                    self._take(peer, lines)
                case "QUIT":
                    self._part(peer)
                    return
                case _:
                    say("250 yes")

    def _part(self, peer: socket.socket) -> None:
        if not self.leaves_early:
            peer.sendall(b"221 bye\r\n")

    def _take(self, peer: socket.socket, lines: object) -> None:
        peer.sendall(b"354 go on\r\n")
        text = b""
        while (line := lines.readline()) not in {b".\r\n", b""}:  # type: ignore[attr-defined]
            text += line
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal == "hang":
            self.closing.wait(PATIENCE_SECONDS)
            return
        if refusal is None:
            self.mails.append(email.message_from_bytes(text, policy=default))
            self.encrypted.append(isinstance(peer, ssl.SSLSocket))
        peer.sendall((refusal or "250 taken").encode() + b"\r\n")
