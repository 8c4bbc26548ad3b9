"""The HTTP client under the SDK, over real sockets: what can have reached the provider."""

import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.providers.twilio.transport import (
    NotConfirmed,
    NotConnected,
    Throttled,
    TwilioTransport,
)
from support.certificates import self_signed
from support.loopback import (
    Loopback,
    Received,
    ServerAction,
    answer,
    created,
    cut_in_the_middle,
    hang,
    hang_up,
)
from support.polling import PATIENCE_SECONDS
from support.threads import together

URL = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"


def test_a_refused_port_is_not_connected() -> None:
    with socket.socket() as bound:  # bound and not listening: the port stays ours and refuses
        bound.bind(("127.0.0.1", 0))
        transport = TwilioTransport(f"http://127.0.0.1:{bound.getsockname()[1]}")
        with pytest.raises(NotConnected):
            transport.request("POST", URL, data={"To": "+1"})
        transport.close()


def test_a_name_that_does_not_resolve_is_not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", fail)
    transport = TwilioTransport("http://no-such-host.invalid")
    with pytest.raises(NotConnected):
        transport.request("POST", URL, data={"To": "+1"})
    transport.close()


@pytest.mark.parametrize("action", [hang_up, cut_in_the_middle, hang])
def test_a_failure_after_the_request_was_sent_is_not_confirmed(
    server: Loopback, action: ServerAction
) -> None:
    transport = TwilioTransport(server.url, read_seconds=1.0)
    server.script.append(action)
    with pytest.raises(NotConfirmed):
        transport.request("POST", URL, data={"To": "+1"})
    transport.close()
    assert len(server.requests) == 1  # and it is never made again here


def test_an_answer_that_is_not_http_is_not_confirmed(
    server: Loopback, transport: TwilioTransport
) -> None:
    def babble(_server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.sendall(b"SSH-2.0-OpenSSH_9.7\r\n")
        return False

    server.script.append(babble)
    with pytest.raises(NotConfirmed):
        transport.request("POST", URL, data={"To": "+1"})


def test_a_server_without_tls_is_not_connected(server: Loopback) -> None:
    transport = TwilioTransport(f"https://{server.host}", connect_seconds=0.5)
    with pytest.raises(NotConnected):
        transport.request("POST", URL, data={"To": "+1"})
    transport.close()
    assert server.requests == []


def test_a_tls_handshake_that_never_ends_is_not_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = TwilioTransport(
            f"https://127.0.0.1:{silent.getsockname()[1]}", connect_seconds=0.2
        )
        with pytest.raises(NotConnected):
            transport.request("POST", URL, data={"To": "+1"})
        transport.close()


def test_an_untrusted_certificate_is_not_connected(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    with Loopback(tls=context) as server:
        transport = TwilioTransport(server.url)
        with pytest.raises(NotConnected):
            transport.request("POST", URL, data={"To": "+1"})
        transport.close()
        assert server.requests == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7),
        ("0", 0),
        ("Sat, 31 Jan 2026 12:00:42 GMT", 42),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0),
        ("9" * 400, 999_999_999),
        *((unreadable, None) for unreadable in ("", "0.5", "-3", "soon", "inf", "nan", "1e300")),
    ],
)
def test_a_429_is_throttled_with_any_body(
    server: Loopback,
    transport: TwilioTransport,
    monkeypatch: pytest.MonkeyPatch,
    header: str | None,
    seconds: int | None,
) -> None:
    """Breaks when the provider's header has a reader of its own: `float` takes 1e300 and no date."""
    monkeypatch.setattr(
        "app.providers.twilio.transport.utc_now", lambda: datetime(2026, 1, 31, 12, tzinfo=UTC)
    )
    headers = {} if header is None else {"Retry_After": header}
    server.script += [answer(429, '{"code": 20429}', **headers), answer(429, "<html>", **headers)]
    for _ in range(2):
        with pytest.raises(Throttled) as throttled:
            transport.request("POST", URL, data={"To": "+1"})
        assert throttled.value.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [200, 201, 302, 400, 404, 500, 503])
def test_every_other_answer_is_given_to_the_sdk(
    server: Loopback, transport: TwilioTransport, status: int
) -> None:
    server.script.append(answer(status, '{"é": 1}', Location="http://127.0.0.1:1/elsewhere"))
    found = transport.request("POST", URL, data={"To": "+1"})
    assert (found.status_code, found.text) == (status, '{"é": 1}')
    assert len(server.requests) == 1  # no redirect is followed


def test_bytes_that_are_not_utf_8_are_an_answer_all_the_same(
    server: Loopback, transport: TwilioTransport
) -> None:
    def latin(_server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\n\xe9\xff\x00")
        return True

    server.script.append(latin)
    assert transport.request("POST", URL).status_code == 502


@pytest.mark.parametrize("prefix", ["", "/twilio"])
def test_the_base_url_takes_the_place_of_scheme_and_host_alone(
    server: Loopback, prefix: str
) -> None:
    transport = TwilioTransport(server.url + prefix)
    transport.request("GET", "https://accounts.twilio.com/v1/Messaging/GeoPermissions?a=1%2C2")
    transport.request("GET", URL, params={"To": "+1 2", "Status": ["a", "b"]})
    transport.close()
    assert [(request.method, request.target) for request in server.requests] == [
        ("GET", f"{prefix}/v1/Messaging/GeoPermissions?a=1%2C2"),
        ("GET", f"{prefix}/2010-04-01/Accounts/AC1/Messages.json?To=%2B1+2&Status=a&Status=b"),
    ]
    assert {request.headers["host"] for request in server.requests} == {server.host}


def test_a_connection_is_used_again(server: Loopback, transport: TwilioTransport) -> None:
    for _ in range(5):
        transport.request("POST", URL, data={"To": "+1"})
    assert (len(server.requests), server.connections) == (5, 1)


def test_a_connection_closed_by_the_server_is_replaced(
    server: Loopback, transport: TwilioTransport
) -> None:
    gone = threading.Event()

    def answer_and_close(found: Loopback, peer: socket.socket, request: Received) -> bool:
        created()(found, peer, request)
        peer.shutdown(socket.SHUT_RDWR)
        gone.set()
        return False

    server.script.append(answer_and_close)
    transport.request("POST", URL, data={"To": "+1"})
    assert gone.wait(PATIENCE_SECONDS)
    assert transport.request("POST", URL, data={"To": "+1"}).status_code == 201
    assert server.connections == 2


def test_the_pool_holds_a_connection_for_each_thread(server: Loopback) -> None:
    threads = 8
    transport = TwilioTransport(server.url, pool_size=threads)
    all_are_here = threading.Barrier(threads)

    def wait_for_all(found: Loopback, peer: socket.socket, request: Received) -> bool:
        all_are_here.wait(PATIENCE_SECONDS)
        return created()(found, peer, request)

    for _ in range(3):
        server.script += [wait_for_all] * threads
        together([lambda: transport.request("POST", URL, data={"To": "+1"})] * threads)
    transport.close()
    assert (len(server.requests), server.connections) == (3 * threads, threads)


def test_calls_that_create_no_message_are_bounded_and_sends_are_not(server: Loopback) -> None:
    """Break: in `app/providers/twilio/transport.py`, take no `_other_call`."""
    transport = TwilioTransport(server.url, pool_size=8, other_calls=2)
    go_on, arrived = threading.Event(), threading.Semaphore(0)
    ends: list[str] = []

    def wait(found: Loopback, peer: socket.socket, request: Received) -> bool:
        arrived.release()
        assert go_on.wait(PATIENCE_SECONDS)
        return created()(found, peer, request)

    def read() -> None:
        transport.request("GET", URL)
        ends.append("read")

    server.script += [wait, wait]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in readers:
        assert arrived.acquire(timeout=PATIENCE_SECONDS)
    with pytest.raises(Throttled):
        transport.request("GET", URL)
    assert transport.request("POST", URL, data={"To": "+1"}).status_code == 201
    go_on.set()
    for reader in readers:
        reader.join()
    assert ends == ["read", "read"]
    assert transport.request("GET", URL).status_code == 201
    transport.close()
