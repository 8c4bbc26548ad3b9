"""A small HTTP server on loopback that does to each request what a script says."""

import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from support.loopback_server import LoopbackServer
from support.polling import PATIENCE_SECONDS


@dataclass
class Received:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: str


ServerAction = Callable[
    ["Loopback", socket.socket, Received], bool
]  # False: the connection is over


def answer(status: int, body: str, **headers: str) -> ServerAction:
    """Answer, and keep the connection."""

    def do(_server: "Loopback", peer: socket.socket, _request: Received) -> bool:
        lines = [f"HTTP/1.1 {status} Something"]
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"Content-Length": str(len(body.encode()))}
        lines += [f"{name}: {value}" for name, value in given.items()]
        peer.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        return True

    return do


def created(number: int = 1) -> ServerAction:
    """Answer as Twilio does when it takes a message."""
    return answer(201, json.dumps({"sid": f"SM{number:032x}", "status": "accepted", "from": None}))


def hang_up(_server: "Loopback", _peer: socket.socket, _request: Received) -> bool:
    """Close the connection without a word, after the request was read."""
    return False


def cut_in_the_middle(_server: "Loopback", peer: socket.socket, _request: Received) -> bool:
    """Promise more than is sent, then close."""
    peer.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{"sid": "SM')
    return False


def hang(server: "Loopback", _peer: socket.socket, _request: Received) -> bool:
    """Say nothing until the server closes."""
    server.closing.wait(PATIENCE_SECONDS)
    return False


@dataclass
class Loopback(LoopbackServer):
    """Serves each connection in a thread; without a script it creates messages."""

    script: list[ServerAction] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    tls: ssl.SSLContext | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://{self.host}"

    def _serve(self, peer: socket.socket) -> None:
        with self._lock:
            self.connections += 1
        peer.settimeout(0.05)
        try:
            if self.tls is not None:
                peer.settimeout(PATIENCE_SECONDS)
                peer = self.tls.wrap_socket(peer, server_side=True)
                peer.settimeout(0.05)
            while (request := self._read(peer)) is not None:
                with self._lock:
                    self.requests.append(request)
                    action = self.script.pop(0) if self.script else created(len(self.requests))
                if not action(self, peer, request):
                    return
        except OSError:
            return  # the client went away, or never meant to speak TLS with us
        finally:
            peer.close()

    def _read(self, peer: socket.socket) -> Received | None:
        data = b""
        while b"\r\n\r\n" not in data or len(data) < _length(data):
            if self.closing.is_set():
                return None
            try:
                more = peer.recv(65536)
            except TimeoutError:
                continue
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return Received(method, target, headers, body.decode())


def _length(data: bytes) -> int:
    """How long a request is altogether, as its head says."""
    head, _, _ = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line.partition(b":")[2])
    return len(head) + 4
