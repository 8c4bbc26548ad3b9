"""Decides how a connection ends without an answer, under werkzeug's own server.

It must not know why.
"""

import socket
from collections.abc import Iterator
from contextlib import suppress

from flask import Response, request


class _NoAnswer(Iterator[bytes]):
    """A body that fails before its first byte: the server drops what it was about to send."""

    def __next__(self) -> bytes:
        raise ConnectionAbortedError("the emulator hangs up here on purpose")


def hang_up() -> Response:
    """Closes the connection of the present request instead of answering it."""
    connection = request.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        with suppress(OSError):  # the client was faster
            connection.shutdown(socket.SHUT_RDWR)
    return Response(_NoAnswer())
