"""The event loop's bookkeeping, without sockets: who runs again, and who is closed for memory."""

import json
import selectors
import socket
import time
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast

import pytest
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidChunkSize,
    InvalidRequestLine,
    LimitRequestHeaders,
    LimitRequestLine,
)

from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.errors import PayloadTooLarge
from app.web.server import worker as module
from app.web.server.connection import NEVER, Connection, Phase
from app.web.server.error_bytes import RequestTimeout
from app.web.server.worker import BufferingWorker
from support.factories import PUBLIC_URL, open_gateway

MEBIBYTE = 1024 * 1024


class _Worker(BufferingWorker):
    """A worker that notes what it would run and close."""

    def __init__(self, connections: list[Connection]) -> None:
        self._connections = set(connections)
        self._waiting = list(connections)
        self.ran: list[Connection] = []
        self.closed: list[Connection] = []

    def _run(self, conn: Connection) -> None:
        self.ran.append(conn)

    def _close(self, conn: Connection) -> None:
        self.closed.append(conn)


def _connection(**fields: Any) -> Connection:
    unused = cast("Any", None)
    given = {"sock": unused, "client": unused, "server": unused, "reader": unused, "poller": unused}
    return Connection(**given | {"on_event": unused, "deadline": NEVER} | fields)


def test_request_that_ends_runs_one_of_the_waiting_ones_again() -> None:
    """Break: in `app/web/server/worker.py`, leave out `most -= may_go_on`."""
    blocked = [_connection(condition=lambda: False) for _ in range(3)]
    free = [_connection(condition=lambda: True) for _ in range(5)]
    worker = _Worker([*blocked, *free])
    worker._run_waiting(1)
    assert worker.ran == free[:1]
    assert worker._waiting == [*blocked, *free[1:]]
    worker._run_waiting(len(worker._waiting))
    assert worker.ran == free


def test_request_that_waited_too_long_runs_a_last_time() -> None:
    late = [_connection(condition=lambda: False, deadline=time.monotonic() - 1) for _ in range(3)]
    worker = _Worker(late)
    worker._run_waiting(0)
    assert worker.ran == late
    assert not any(conn.may_wait for conn in late)


def test_oldest_unread_answers_are_dropped_where_they_fill_too_much_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Break: in `app/web/server/worker.py`, leave out the call of `_close` in `_bound_unsent`."""
    monkeypatch.setattr(module, "_MOST_UNSENT_BYTES", 3 * MEBIBYTE)
    unread = bytes(MEBIBYTE)
    slow = [
        _connection(unsent=unread, phase=Phase.ANSWERING, deadline=float(place))
        for place in range(5)
    ]
    running = _connection(unsent=unread, phase=Phase.RUNNING, deadline=-1.0)
    worker = _Worker([*reversed(slow), running])
    worker._bound_unsent()
    assert worker.closed == slow[:3]
    bounded = _Worker(slow[:3])
    bounded._bound_unsent()
    assert bounded.closed == []


ERRORS = {
    RequestTimeout(): 408,
    LimitRequestLine(9, 8): 414,
    LimitRequestHeaders("the head is too large"): 431,
    ExpectationFailed("x"): 417,
    InvalidChunkSize(b"zz"): 400,
    InvalidRequestLine("+12025550123"): 400,
    PayloadTooLarge(): 413,
    RuntimeError("+12025550123"): 500,
}


@pytest.mark.one_engine
@pytest.mark.parametrize("public_url", [PUBLIC_URL, "http://127.0.0.1:8000"])
def test_errors_of_the_event_loop_have_the_form_and_headers_of_the_others(
    database: Database, cipher: Cipher, tmp_path: Path, public_url: str
) -> None:
    """Break: in `app/web/server/error_bytes.py`, write `API_HEADERS` for `headers_of(app)`."""
    gateway = open_gateway(database, cipher, tmp_path, public_url=public_url)
    own = gateway.client.get("/nowhere")
    assert ("Strict-Transport-Security" in own.headers) == public_url.startswith("https")
    for error, status in ERRORS.items():
        ours, theirs = socket.socketpair()
        reader = cast("Any", type("Reader", (), {"request": None}))
        conn = _connection(sock=ours, reader=reader, poller=selectors.DefaultSelector())
        worker = _Worker([conn])
        worker.wsgi = gateway.client.application
        worker._refuse(conn, error)
        with ours, theirs:
            answer = HTTPResponse(theirs)
            answer.begin()
            body = json.loads(answer.read())
        assert (answer.status, body.keys()) == (status, {"code", "message"}), error
        assert "555" not in body["message"]
        expected = set(own.headers.keys()) | {"Connection", "Date"}
        assert set(answer.headers.keys()) == expected, error
        varying = {"Content-Length", "X-Request-Id", "Date", "Connection"}
        for name in expected - varying:
            assert answer.headers[name] == own.headers[name], (error, name)
