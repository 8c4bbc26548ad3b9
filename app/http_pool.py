"""urllib3 pools with one deadline for each answer and strict reading."""

import re
import socket
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from app.http_answer import HEADER_NAME, FinalAnswer
from app.http_exchange import Deadline, TimedSocket, look_up, look_up_in_time, open_first


class NoConnection(Exception):
    """No connection could be made: the request was not sent."""


def _open_in_time(host: str, port: int, deadline: Deadline) -> socket.socket:
    opened = open_first(look_up_in_time(look_up, host, port, deadline), port, deadline)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


_HEADER = re.compile(rf"{HEADER_NAME}: [\t\x20-\x7e\x80-\xff]*", re.ASCII)


class _StrictConnection(HTTPConnection):
    response_class = FinalAnswer
    _unsent: bytearray | None = None

    def request(self, *given: Any, **options: Any) -> None:
        """Send head and body at once; urllib3 sends them in two packets."""
        unsent = self._unsent = bytearray()
        try:
            super().request(*given, **options)
        finally:
            self._unsent = None
        self.send(unsent)

    def send(self, data: Any) -> None:
        if self._unsent is None:
            super().send(data)
        else:
            self._unsent += data

    def putheader(self, header: Any, *values: Any) -> None:
        """Write a usual header with fewer calls."""
        is_text = len(values) == 1 and isinstance(header, str) and isinstance(values[0], str)
        if is_text and _HEADER.fullmatch(line := f"{header}: {values[0]}"):
            self._output(line.encode("latin-1"))  # type: ignore[attr-defined]
        else:  # another kind of value, or an error
            super().putheader(header, *values)

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open and has no unexpected bytes."""
        has_unread = isinstance(self.sock, TimedSocket) and self.sock.has_unread
        return super().is_connected and not has_unread

    def _new_deadline(self) -> Deadline:
        return Deadline(float(self.timeout or 0))


class _PlainConnection(_StrictConnection):
    def connect(self) -> None:
        try:
            opened = _open_in_time(self._dns_host, self.port, self._new_deadline())
        except Exception as problem:
            raise NoConnection(type(problem).__name__) from problem
        self.sock = TimedSocket(opened, self._new_deadline())


class _TlsConnection(_StrictConnection, HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except Exception as problem:
            raise NoConnection(type(problem).__name__) from problem
        self.sock = TimedSocket(self.sock, self._new_deadline())

    def _new_conn(self) -> socket.socket:
        deadline = self._new_deadline()
        opened = _open_in_time(self._dns_host, self.port, deadline)
        opened.settimeout(deadline.remaining())  # for the handshake
        return opened


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


# For `pool_classes_by_scheme` of urllib3's `PoolManager`.
POOLS = {"http": _PlainPool, "https": _TlsPool}
