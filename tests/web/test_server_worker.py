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
from app.web.server.connection import NEVER, AnswerWriter, Connection, Phase
from app.web.server.error_bytes import RequestTimeout
from app.web.server.worker import BufferingWorker
from support.each import each
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


class _Reader:
    """A reader whose request is complete as soon as it has bytes."""

    request = None
    is_in_body = False

    def __init__(self) -> None:
        self.fed = b""

    @property
    def has_begun(self) -> bool:
        return bool(self.fed)

    @property
    def buffered_bytes(self) -> int:
        return len(self.fed)

    def feed(self, data: bytes) -> None:
        self.fed += data

    def next_request(self) -> bytes | None:
        request, self.fed = self.fed or None, b""
        return request


class _Early(_Worker):
    """A worker whose connection sends its next request before the answer to the last."""

    def __init__(self, ours: socket.socket) -> None:
        self.conn = _connection(
            sock=ours,
            reader=_Reader(),
            poller=selectors.DefaultSelector(),
            phase=Phase.RUNNING,
            on_event=self._go_on,
        )
        super().__init__([self.conn])
        self._waiting = []
        self.alive = True
        self.cfg = cast("Any", type("Config", (), {"keepalive": 30, "threads": 2}))
        self.conn.watch(selectors.EVENT_READ)


def test_request_that_arrives_early_runs_after_the_answer_of_the_one_before() -> None:
    """Break: in `_keep_early`, leave out `conn.reader.feed(data)` or `_look_again`."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        worker = _Early(ours)
        conn = worker.conn
        theirs.send(b"next")
        worker._go_on(conn)
        assert (worker.ran, conn.phase) == ([], Phase.RUNNING)
        worker._await_next(conn)
        worker._look_again(conn)
        assert (worker.ran, conn.request) == ([conn], b"next")
        # The thread may end the request just before the event loop looks.
        theirs.send(b"third")
        worker._await_next(conn)
        worker._go_on(conn)
        assert (worker.ran, conn.request) == ([conn, conn], b"third")


def test_early_bytes_are_bounded_and_a_client_that_leaves_is_no_longer_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Break: in `_keep_early`, leave out `conn.watch(0)`."""
    monkeypatch.setattr(module, "MAX_HEAD_BYTES", 10)
    for leaves in (True, False):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            worker = _Early(ours)
            if not leaves:
                theirs.send(b"x" * 11)
            else:
                theirs.close()
            worker._go_on(worker.conn)
            assert (worker.conn.watched, worker.ran, worker.closed) == (0, [], [])
            worker._await_next(worker.conn)
            worker._look_again(worker.conn)
            assert worker.ran == ([] if leaves else [worker.conn])
            assert worker.conn.watched == (selectors.EVENT_READ if leaves else 0)
        theirs.close()


@each("given", ["HEAD 200", "GET 200", "GET 204", "GET 304"])
def test_an_answer_has_the_length_that_its_status_allows(given: str) -> None:
    """Break: in `AnswerWriter.written`, take `has_body = True`."""
    method, status = given.split()
    request = type("Request", (), {"method": method})
    answer = AnswerWriter(request, None, None)
    answer.start_response(f"{status} X", [("X-One", "1")])(b"ab")
    head, _, body = answer.written(keep_alive=True).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == f"HTTP/1.1 {status} X".encode()
    has_body = given == "GET 200"
    assert (b"Content-Length: 2" in lines, body) == (has_body, b"ab" if has_body else b"")
    assert {b"X-One: 1", b"Connection: keep-alive"} <= set(lines)


def test_a_line_break_in_a_header_is_refused() -> None:
    """Break: in `AnswerWriter.written`, leave out the check of line breaks."""
    for value in ("a\r\nX-Two: 2", "a\nb", "a\rb"):
        answer = AnswerWriter(type("Request", (), {"method": "GET"}), None, None)
        answer.start_response("200 OK", [("X-One", value)])
        with pytest.raises(ValueError, match="line break"):
            answer.written(keep_alive=False)


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
