"""Clients that send or read slowly, or send no HTTP: they hold no thread and get a plain answer."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from app.db.engine import Database
from support.live_gateway import LiveGateway, start_live_gateway
from support.polling import limit_here
from support.quick_worker import DEADLINES

HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /v1/sms HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
QUICKLY_SECONDS = 3.0
INCOMPLETE = {
    "nothing": b"",
    "half a request line": b"GET /heal",
    "half a head": b"GET /healthz HTTP/1.1\r\n" + HOST,
    "no body": POST + b"Content-Length: 100\r\n\r\n",
    "half a body": POST + b"Content-Length: 100\r\n\r\n{",
    "half a body that was asked for": POST + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n{",
    "half a chunk size": CHUNKED + b"1",
    "half a chunk": CHUNKED + b"10\r\nabc",
    "no last chunk": CHUNKED + b"3\r\nabc\r\n",
    "half the trailers": CHUNKED + b"0\r\nA: b\r\n",
}
OF_EACH = 20
READS_NOTHING = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def live_gateway(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveGateway]:
    """A gateway of one process with few threads and shorter deadlines."""
    folder = tmp_path_factory.mktemp("gateway")
    path = folder / "borderpost.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}", pool_size=8)
    worker = ("--worker-class", "tests.support.quick_worker.QuickWorker")
    few = {"BORDERPOST_THREADS": "8", "WEB_CONCURRENCY": "1", "SCRIPT_NAME": "/evil"}
    with start_live_gateway(database, folder, options=worker, **few) as found:
        yield found
    database.close()


def _connect(live_gateway: LiveGateway, stack: ExitStack, sent: bytes) -> socket.socket:
    link = stack.enter_context(
        socket.create_connection(("127.0.0.1", live_gateway.port), timeout=60)
    )
    link.sendall(sent)
    return link


def _read_to_the_end(link: socket.socket) -> bytes:
    found = b""
    with suppress(ConnectionResetError):
        while piece := link.recv(65536):
            found += piece
    return found


def _ask(live_gateway: LiveGateway, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """The status, headers and body of the last answer; the connection must end."""
    with ExitStack() as stack:
        answer = _read_to_the_end(_connect(live_gateway, stack, sent))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


@pytest.fixture
def limit(live_gateway: LiveGateway) -> float:
    """How long an answer may take that waits for no slow client."""
    return limit_here(QUICKLY_SECONDS, lambda: live_gateway.get("/readyz"))


def _assert_serves(live_gateway: LiveGateway, key: str, limit: float) -> None:
    """A health check, a send and a signed callback are answered quickly."""
    for _ in range(3):
        answer = live_gateway.get("/healthz")
        assert (answer.status, answer.seconds < limit) == (200, True)
    began = time.monotonic()
    sent = live_gateway.send(key)
    assert (sent.status, time.monotonic() - began < limit) == (201, True)
    row = live_gateway.rows()[sent.message_id or ""]
    called = live_gateway.callback(sent.message_id, row["message_sid"], "delivered")
    assert (called.status, called.seconds < limit) == (204, True)


def test_incomplete_requests_hold_no_thread_and_end_at_their_deadline(
    live_gateway: LiveGateway, limit: float
) -> None:
    """Break: in `app/web/server/worker.py`, leave out the call of `_end_overdue`."""
    with ExitStack() as stack:
        opened = time.monotonic()
        links = {
            (name, place): _connect(live_gateway, stack, sent)
            for name, sent in INCOMPLETE.items()
            for place in range(OF_EACH)
        }
        assert len(links) == 200
        _assert_serves(live_gateway, "while 200 requests are incomplete", limit)
        answers = {key: _read_to_the_end(link) for key, link in links.items()}
        assert time.monotonic() - opened > DEADLINES.head - 0.5
    for (name, _), answer in answers.items():
        if name == "nothing":
            assert answer == b""
            continue
        last = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert last.startswith(b"HTTP/1.1 408 "), name
        assert json.loads(last.partition(b"\r\n\r\n")[2])["code"] == "BadRequest"


def test_bytes_that_trickle_do_not_move_a_deadline(live_gateway: LiveGateway) -> None:
    """Break: in `app/web/server/worker.py`, set the deadline for each byte that arrives."""
    head = b"GET /healthz HTTP/1.1\r\nA: "
    body = POST + b"Content-Length: 60000\r\n\r\n"
    stop = threading.Event()
    with ExitStack() as stack:
        links = [
            _connect(live_gateway, stack, sent) for sent in (head, body, CHUNKED) for _ in range(4)
        ]

        def trickle() -> None:
            while not stop.wait(0.1):
                for link in links:
                    with suppress(OSError):
                        link.sendall(b"0")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            ends = [_read_to_the_end(link) for link in links]
        finally:
            stop.set()
            thread.join()
    assert len(ends) == 12  # a client that sends on may lose the answer, not the end


def test_slow_readers_hold_no_thread_and_are_cut_off(
    live_gateway: LiveGateway, limit: float
) -> None:
    """Break: in `app/web/server/connection.py`, let `send` use a blocking `sendall`."""
    with ExitStack() as stack:
        links = []
        for _ in range(20):
            link = socket.socket()
            stack.enter_context(link)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.settimeout(60)
            link.connect(("127.0.0.1", live_gateway.port))
            link.sendall(READS_NOTHING * 100)
            links.append(link)
        _assert_serves(live_gateway, "while 20 clients read nothing", limit)
        time.sleep(DEADLINES.answer + 1)
        # The first answers wait in buffers; the end follows them.
        read = [_read_to_the_end(link).count(b"HTTP/1.1 200") for link in links]
    assert max(read) < 100


def test_idle_connections_hold_no_thread_and_serve_again(
    live_gateway: LiveGateway, limit: float
) -> None:
    ask = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    with ExitStack() as stack:
        links = [_connect(live_gateway, stack, ask) for _ in range(40)]
        assert all(link.recv(65536).startswith(b"HTTP/1.1 200") for link in links)
        _assert_serves(live_gateway, "while 40 connections are idle", limit)
        for link in links:
            link.sendall(ask)
        assert all(link.recv(65536).startswith(b"HTTP/1.1 200") for link in links)


NO_REQUESTS = {
    "no HTTP": (b"NONSENSE\r\n\r\n", 400),
    "a bare line feed": (b"GET /healthz HTTP/1.1\n\n", 400),
    "a version from elsewhere": (b"GET /healthz HTTP/9.9\r\n\r\n", 400),
    "a header without a colon": (b"GET /healthz HTTP/1.1\r\nHost\r\n\r\n", 400),
    "a NUL in a header": (b"GET /healthz HTTP/1.1\r\nA: \x00\r\n\r\n", 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "a length and chunks": (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "an unknown coding": (POST + b"Transfer-Encoding: chunked, x\r\n\r\n", 400),
    "a long line": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    "a long header": (b"GET /healthz HTTP/1.1\r\nA: " + b"b" * 9000 + b"\r\n\r\n", 431),
    "many headers": (b"GET /healthz HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
    "an endless head": (b"GET /healthz HTTP/1.1\r\nA: " + b"b" * 70_000, 431),
    "another expectation": (POST + b"Expect: tea\r\nContent-Length: 0\r\n\r\n", 417),
    "a chunk without a size": (CHUNKED + b"\r\n", 400),
    "a chunk of no hex size": (CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk of negative size": (CHUNKED + b"-1\r\n\r\n", 400),
    "a chunk that does not end": (CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n", 400),
    "many tiny chunks": (CHUNKED + b"1\r\na\r\n" * 2000, 400),
    "compressed chunks": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "a bad chunk extension": (CHUNKED + b"3;\x01\r\nabc\r\n0\r\n\r\n", 400),
    "a bad trailer": (CHUNKED + b"3\r\nabc\r\n0\r\nnothing\r\n\r\n", 400),
    "a large body": (POST + b"Content-Length: 200000\r\n\r\n" + b"a" * 200_000, 413),
    "a large body in chunks": (CHUNKED + b"30D40\r\n" + b"a" * 200_000, 413),
}
CODES = {413: "PayloadTooLarge"}


def test_bytes_that_are_no_request_are_answered_in_the_form_of_all_errors(
    live_gateway: LiveGateway,
) -> None:
    """Break: in `app/web/server/error_bytes.py`, leave out an entry of the table."""
    for name, (sent, status) in NO_REQUESTS.items():
        found, headers, body = _ask(live_gateway, sent)
        error = json.loads(body)
        assert (name, found, error["code"]) == (name, status, CODES.get(status, "BadRequest"))
        assert set(error) == {"code", "message"}, name
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Request-Id"], name


def test_request_id_of_the_client_is_kept_where_the_head_could_be_read(
    live_gateway: LiveGateway,
) -> None:
    sent = POST + b"X-Request-Id: mine\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    assert _ask(live_gateway, sent)[1]["X-Request-Id"] == "mine"


def test_script_name_and_forwarder_headers_are_ignored_on_the_wire(
    live_gateway: LiveGateway,
) -> None:
    """Break: in `gunicorn.conf.py`, leave out `forwarder_headers`."""
    plain = b"GET /console HTTP/1.1\r\n" + HOST + b"Connection: close\r\n"
    forged = b"SCRIPT_NAME: /evil\r\nPATH_INFO: /metrics\r\nX-Forwarded-Proto: https\r\n"
    expected, found = (
        _ask(live_gateway, plain + b"\r\n"),
        _ask(live_gateway, plain + forged + b"\r\n"),
    )
    assert (found[0], found[1]["Location"], found[2]) == (
        expected[0],
        expected[1]["Location"],
        expected[2],
    )
    assert b"evil" not in expected[2] + found[2]


def test_gateway_stops_in_time_while_requests_are_incomplete(
    live_gateway: LiveGateway, limit: float
) -> None:
    """The last test of this module: it ends the gateway."""
    with ExitStack() as stack:
        for sent in list(INCOMPLETE.values()) * 3:
            _connect(live_gateway, stack, sent)
        _assert_serves(live_gateway, "before the end", limit)
        began = time.monotonic()
        live_gateway.web.popen.terminate()
        assert live_gateway.web.popen.wait(60) == 0
        assert time.monotonic() - began < 17 + limit
