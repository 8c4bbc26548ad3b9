"""Answers that no server should give, over raw sockets: in time, and each to its own request."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from app.http_exchange import TimedSocket
from app.providers.twilio.transport import (
    LARGEST_ANSWER_BYTES,
    NotConfirmed,
    NotConnected,
    TwilioTransport,
)
from support.certificates import self_signed
from support.each import each
from support.loopback import Loopback, Received, ServerAction, answer, created
from support.polling import eventually

API = "https://api.twilio.com/2010-04-01/Accounts/AC1"
CALLS = [
    ("POST", f"{API}/Messages.json"),
    ("GET", f"{API}/Messages/SM1.json"),
    ("GET", f"{API}/Messages.json?To=%2B1"),
    ("GET", "https://accounts.twilio.com/v1/Messaging/GeoPermissions"),
    ("PATCH", "https://accounts.twilio.com/v1/Messaging/GeoPermissions"),
]
SHORT = 0.4
# Far above what a deadline of SHORT may take, far below what the drops of a test take in all.
PATIENCE = 20.0


@pytest.fixture
def hasty(server: Loopback) -> Iterator[TwilioTransport]:
    """A transport that soon gives up."""
    found = TwilioTransport(server.url, connect_seconds=SHORT, read_seconds=1.0)
    yield found
    found.close()


def raw(data: bytes, *, stays_open: bool = True) -> ServerAction:
    """Send exactly these bytes."""

    def do(_server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.sendall(data)
        return stays_open

    return do


def by_drops(data: bytes) -> ServerAction:
    """Send one byte at a time; each comes long before a socket timeout of SHORT."""

    def do(server: Loopback, peer: socket.socket, _request: Received) -> bool:
        for place in range(len(data)):
            if server.closing.wait(SHORT / 5):
                break
            peer.sendall(data[place : place + 1])
        return False

    return do


def whole(sid: str, *, extra: str = "") -> bytes:
    body = json.dumps({"sid": sid})
    head = f"HTTP/1.1 201 Created\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return (head + body).encode()


def ask(transport: TwilioTransport, call: tuple[str, str] = CALLS[0]) -> str:
    return str(json.loads(transport.request(*call, data={"To": "+1"}).text)["sid"])


def idle_socket(transport: TwilioTransport, server: Loopback) -> TimedSocket:
    """The socket that the next request would use."""
    return transport._servers[server.url]._idle[-1][1]


def seconds_of(work: Callable[[], object], error: type[Exception]) -> float:
    started = time.monotonic()
    with pytest.raises(error):
        work()
    return time.monotonic() - started


def test_an_answer_by_drops_ends_at_the_deadline_in_every_part(
    server: Loopback, hasty: TwilioTransport
) -> None:
    """Breaks when each byte restarts the limit: leave `_arm` out of `receive_into`."""
    drops = [
        by_drops(whole("SM1", extra=f"X: {'a' * 500}\r\n")),
        by_drops(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20),
        by_drops(b"HTTP/1.1 201 Created\r\n" + b"X-Slow: 1\r\n" * 50),
    ]

    def slow_body(server: Loopback, peer: socket.socket, request: Received) -> bool:
        peer.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n")
        return by_drops(b"{" * 500)(server, peer, request)

    def slow_chunks(server: Loopback, peer: socket.socket, request: Received) -> bool:
        peer.sendall(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
        return by_drops(b"1\r\n{\r\n" * 90)(server, peer, request)

    for call in CALLS:
        for slow in [*drops, slow_body, slow_chunks] if call is CALLS[0] else [slow_body]:
            server.script.append(slow)
            assert seconds_of(lambda call=call: ask(hasty, call), NotConfirmed) < PATIENCE


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    server: Loopback, transport: TwilioTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `Server.take`, leave out `_IDLE_SECONDS`.

    A NAT gateway that has dropped the connection answers nothing: a send would end unconfirmed.
    """
    server.script += [raw(whole(f"SM{place}")) for place in range(3)]
    assert ask(transport) == "SM0"
    kept = idle_socket(transport, server)
    assert ask(transport) == "SM1"
    assert idle_socket(transport, server) is kept
    monkeypatch.setattr("app.http_exchange._IDLE_SECONDS", 0)
    assert ask(transport) == "SM2"
    assert idle_socket(transport, server) is not kept


def test_a_handshake_by_drops_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        transport = TwilioTransport(url, connect_seconds=SHORT)
        assert seconds_of(lambda: ask(transport), NotConnected) < PATIENCE
        transport.close()


def test_a_name_server_that_hangs_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the name is resolved in the calling thread: call `look_up` in `_open_in_time`."""
    real, over = socket.getaddrinfo, threading.Event()

    def slow(*given: object, **named: object) -> object:
        over.wait(PATIENCE)
        return real("127.0.0.1", 1)

    monkeypatch.setattr("socket.getaddrinfo", slow)
    transport = TwilioTransport("http://slow.invalid", connect_seconds=SHORT)
    assert seconds_of(lambda: ask(transport), NotConnected) < PATIENCE
    over.set()
    transport.close()


def test_silent_addresses_share_the_time_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when each address has the whole time: `patience = deadline.remaining()`."""
    patiences: list[float] = []

    def silent(_address: object, timeout: float) -> socket.socket:
        patiences.append(timeout)
        raise TimeoutError

    monkeypatch.setattr("socket.create_connection", silent)
    monkeypatch.setattr("app.http_exchange.look_up", lambda *_: ["192.0.2.1"] * 8)
    transport = TwilioTransport("http://many.invalid", connect_seconds=8.0)
    with pytest.raises(NotConnected):
        ask(transport)
    assert len(patiences) == 8
    assert max(patiences[:1]) <= 1.0
    transport.close()


def test_head_and_body_are_sent_at_once(
    server: Loopback, transport: TwilioTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    send = TimedSocket.sendall
    monkeypatch.setattr(
        TimedSocket, "sendall", lambda self, data: (sent.append(bytes(data)), send(self, data))
    )
    server.script.append(raw(whole("SM1")))
    answered = transport.request("POST", CALLS[0][1], data={"Body": "Hello"})
    assert json.loads(answered.text)["sid"] == "SM1"
    ((head, _, body),) = [one.partition(b"\r\n\r\n") for one in sent]
    assert head.startswith(b"POST ")
    assert body == b"Body=Hello"


def test_a_request_without_a_body_says_so(server: Loopback, transport: TwilioTransport) -> None:
    """Break: send no length without a body; a server answers 411, or waits for the body."""
    for method in ("POST", "PATCH", "GET"):
        transport.request(method, CALLS[1][1])
    lengths = [request.headers.get("content-length") for request in server.requests]
    assert lengths == ["0", "0", None]


def test_a_header_that_cannot_be_sent_sends_nothing(
    server: Loopback, transport: TwilioTransport
) -> None:
    """Break: leave `_HEAD` out of `send_request`."""
    for headers in ({"A": "b\r\nC: d"}, {"A b": "c"}, {"A": "\u0100"}, {"": "a"}):
        with pytest.raises(NotConfirmed):
            transport.request("POST", CALLS[0][1], data={"To": "+1"}, headers=headers)
    with pytest.raises(NotConfirmed):
        transport.request("GET", f"{API}/Messages/SM1 HTTP/1.1.json")
    assert server.requests == []


def test_a_header_may_continue_on_the_next_line(
    server: Loopback, transport: TwilioTransport
) -> None:
    """Break: refuse every line without a colon."""
    folded = whole("SM1").replace(b"\r\n", b"\r\nLink: a,\r\n\tb\r\n c \r\n", 1)
    server.script.append(raw(folded))
    assert transport.request("GET", CALLS[1][1]).headers["Link"] == "a, b c"


def test_a_line_that_is_no_header_confirms_nothing(
    server: Loopback, transport: TwilioTransport
) -> None:
    for line in (b" a: b", b"a", b"a : b", b": b", b"a\tb: c"):
        broken = whole("SM1").replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)
        server.script.append(raw(broken))
        with pytest.raises(NotConfirmed):
            ask(transport)


def test_interim_answers_are_read_past(server: Loopback, transport: TwilioTransport) -> None:
    """Breaks when only 100 is: return the first status in `_read_status`."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    before = [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        hints,
        hints * 3,
        b"HTTP/1.1 199 Whatever\r\nContent-Length: 5\r\n\r\n",
    ]
    for call in CALLS:
        for place, interim in enumerate(before):
            server.script.append(raw(interim + whole(f"SM{place}")))
            assert ask(transport, call) == f"SM{place}"
    assert server.connections == 1  # an interim answer is nothing unexpected


def test_an_interim_answer_alone_confirms_nothing(
    server: Loopback, transport: TwilioTransport
) -> None:
    for interim in (
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: <",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + whole("SM1"),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500 + whole("SM1"),
    ):
        server.script.append(raw(interim, stays_open=False))
        with pytest.raises(NotConfirmed):
            ask(transport)
        server.script.append(raw(whole("SM2")))
        assert ask(transport) == "SM2"


def test_a_second_answer_is_not_that_of_the_next_request(
    server: Loopback, transport: TwilioTransport
) -> None:
    """Breaks when the connection is kept: let `is_quiet` return True."""

    def later(_server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.sendall(whole("SM1"))
        peer.sendall(whole("SM8"))
        return True

    for call in CALLS:
        for twice in (raw(whole("SM1") + whole("SM9")), raw(whole("SM1") + b"\r\n"), later):
            connections = server.connections
            server.script += [twice, raw(whole("SM2"))]
            assert ask(transport, call) == "SM1"
            idle = idle_socket(transport, server)
            eventually(lambda idle=idle: not idle.is_quiet)
            assert ask(transport, call) == "SM2"
            assert server.connections > connections


def test_a_second_answer_within_one_tls_record_is_not_that_of_the_next_request(
    tmp_path: Path,
) -> None:
    """Breaks when the connection is kept: let `is_quiet` return True."""
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Loopback(tls=context) as server:
        trusting = ssl.create_default_context(cafile=str(certificate))
        trusting.check_hostname = False
        transport = TwilioTransport(server.url, tls=trusting)
        server.script += [raw(whole("SM1") + whole("SM9")), raw(whole("SM2"))]
        assert [ask(transport), ask(transport)] == ["SM1", "SM2"]
        assert server.connections == 2
        transport.close()


@pytest.mark.parametrize(
    "broken",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\nContent-Length: 13\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 13\r\nContent-Length: 13\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 1_3\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: -13\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 13\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 201 Created\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"",
    ],
)
def test_an_answer_of_ambiguous_length_confirms_nothing(
    server: Loopback, transport: TwilioTransport, broken: bytes
) -> None:
    """Breaks when one of two lengths is believed: leave `begin` out of `FinalAnswer`."""
    server.script += [raw(broken + b'{"sid":"SM1"}', stays_open=False), raw(whole("SM2"))]
    with pytest.raises(NotConfirmed):
        ask(transport)
    assert ask(transport) == "SM2"
    assert server.connections == 2


CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
SOUND = b'd\r\n{"sid":"SM1"}\r\n0\r\n\r\n'
MALFORMED = {
    "size with a prefix": CHUNKED + SOUND.replace(b"d\r", b"0xd\r", 1),
    "size with a sign": CHUNKED + SOUND.replace(b"d\r", b"+d\r", 1),
    "negative size": CHUNKED + SOUND.replace(b"d\r", b"-d\r", 1),
    "size with an underscore": CHUNKED + SOUND.replace(b"d\r", b"0_d\r", 1),
    "size after a space": CHUNKED + SOUND.replace(b"d\r", b" d\r", 1),
    "size before a space": CHUNKED + SOUND.replace(b"d\r", b"d \r", 1),
    "size of nine digits": CHUNKED + SOUND.replace(b"d\r", b"00000000d\r", 1),
    "no size": CHUNKED + SOUND.replace(b"d\r", b"\r", 1),
    "size that ends with LF": CHUNKED + SOUND.replace(b"d\r\n", b"d\n", 1),
    "size line too long": CHUNKED + SOUND.replace(b"d\r", b"d;" + b"x" * 2000 + b"\r", 1),
    "extension with a control": CHUNKED + SOUND.replace(b"d\r", b"d;\x01\r", 1),
    "chunk that goes on": CHUNKED + b'c\r\n{"sid":"SM1"}\r\n0\r\n\r\n',
    "chunk that ends with LF": CHUNKED + SOUND.replace(b"}\r\n", b"}\n\n"),
    "chunk cut off": CHUNKED + SOUND[:8],
    "no last chunk": CHUNKED + SOUND[:-5],
    "rubbish for a last chunk": CHUNKED + SOUND[:-5] + b"zz\r\n\r\n",
    "trailer without a colon": CHUNKED + SOUND[:-2] + b"rubbish\r\n\r\n",
    "answer for a trailer": CHUNKED + SOUND[:-2] + whole("SM9"),
    "endless trailers": CHUNKED + SOUND[:-2] + b"A: b\r\n" * 200 + b"\r\n",
    "trailers cut off": CHUNKED + SOUND[:-2] + b"A: b\r\n",
    "too many chunks": CHUNKED + b"1\r\n \r\n" * 66_000 + SOUND,
    "chunks in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0") + SOUND,
    "chunks of no body": CHUNKED.replace(b"201 Created", b"204 No Content") + SOUND,
    "status with a sign": whole("SM1").replace(b"201", b"+201"),
    "status with an underscore": whole("SM1").replace(b"201", b"2_01"),
    "status of two digits": whole("SM1").replace(b"201", b"20"),
    "another protocol": whole("SM1").replace(b"HTTP/1.1", b"HTTP/2.0"),
    "header without a colon": whole("SM1", extra="rubbish\r\n"),
    "space before the colon": whole("SM1").replace(b"Length:", b"Length :"),
    "CR within a header": whole("SM1", extra="A: b\rC: d\r\n"),
    "NUL within a header": whole("SM1", extra="A: b\0\r\n"),
    "head cut off": b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n",
}


@each("name", MALFORMED)
def test_a_malformed_answer_confirms_nothing_and_ends_its_connection(
    server: Loopback, hasty: TwilioTransport, name: str
) -> None:
    """Breaks when ``http.client`` reads the chunks: leave `_ChunkedBody` out of `FinalAnswer`."""
    is_cut = name.endswith("cut off")
    server.script[:] = [raw(MALFORMED[name], stays_open=not is_cut), raw(whole("SM2"))]
    with pytest.raises(NotConfirmed):
        ask(hasty)
    connections = server.connections
    assert ask(hasty) == "SM2"
    assert server.connections == connections + 1


def test_a_sound_answer_in_chunks_is_read_and_its_connection_kept(
    server: Loopback, transport: TwilioTransport
) -> None:
    sound = [
        SOUND,
        SOUND.replace(b"d\r", b"00D\r", 1),
        SOUND.replace(b"d\r", b'd;name="value"\r', 1),
        b"".join(b"1\r\n%c\r\n" % one for one in b'{"sid":"SM1"}') + b"000\r\n\r\n",
        SOUND[:-2] + b"X-Trailer: a\r\n\r\n",
    ]
    for body in sound:
        server.script.append(raw(CHUNKED + body))
        assert ask(transport) == "SM1"
    assert server.connections == 1


def test_an_answer_with_an_unexpected_content_ends_its_connection(
    server: Loopback, transport: TwilioTransport
) -> None:
    """Breaks when only the framing counts: always `put_back` in `request`."""
    sid, other = f"SM{1:032x}", f"SM{2:032x}"
    message = {"sid": sid, "to": "+2", "body": "another text"}
    sent = {"To": "+1", "Body": "a text"}
    strange = [
        (answer(201, '{"sid": "SM1"'), CALLS[0], None),
        (answer(201, "[]"), CALLS[0], None),
        (answer(200, "<html>"), CALLS[3], None),
        (answer(502, "<html>"), CALLS[3], None),
        (answer(201, json.dumps(message)), CALLS[0], NotConfirmed),
        (answer(200, json.dumps(message)), ("GET", f"{API}/Messages/{other}.json"), NotConfirmed),
    ]
    for place, (action, call, problem) in enumerate(strange, start=1):
        server.script.append(action)
        with pytest.raises(problem) if problem else nullcontext():
            transport.request(*call, data=sent if call is CALLS[0] else None)
        assert server.connections == place
    server.script.append(answer(200, json.dumps(message)))
    transport.request("GET", f"{API}/Messages/{sid}.json")
    server.script.append(answer(404, '{"code": 20404}'))
    transport.request("GET", f"{API}/Messages/{sid}.json")
    assert server.connections == len(strange) + 1


def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    server: Loopback, transport: TwilioTransport
) -> None:
    def pour(server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.settimeout(PATIENCE)
        peer.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 99999999999\r\n\r\n")
        for _ in range(2 * LARGEST_ANSWER_BYTES // 65536):
            peer.sendall(b" " * 65536)
        return False

    server.script += [pour, created(2)]
    with pytest.raises(NotConfirmed):
        ask(transport)
    assert ask(transport) == f"SM{2:032x}"


def test_an_answer_that_ends_its_connection_is_read_whole(
    server: Loopback, transport: TwilioTransport
) -> None:
    """Break: keep every connection, as if `will_close` were False."""
    body = b'{"sid":"SM1"}'
    server.script += [
        raw(whole("SM1", extra="Connection: close\r\n"), stays_open=False),
        raw(b"HTTP/1.1 201 Created\r\n\r\n" + body, stays_open=False),
        raw(b"HTTP/1.0 201 Created\r\n\r\n" + body, stays_open=False),
        raw(
            b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"d\r\n" + body + b"\r\n0\r\n\r\n"
        ),
        answer(201, body.decode()),
    ]
    assert [ask(transport) for _ in range(5)] == ["SM1"] * 5
    assert server.connections == 4
