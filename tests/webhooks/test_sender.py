"""Posting over real sockets on loopback: what is sent, how long it may take, whom it may reach.

Host names are resolved by the test; no test asks a name server.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.http_exchange import Deadline, TimedSocket
from app.webhooks.sender import Failure, HttpSender, NotDelivered, Reply
from support.loopback import Loopback, Received, answer, cut_in_the_middle, hang, hang_up
from support.polling import PATIENCE_SECONDS

NAME = "hooks.example.com"
LOOPBACK = "127.0.0.1"
SHORT = 0.4


@pytest.fixture
def receiver() -> Iterator[Loopback]:
    """A receiver without TLS."""
    with Loopback() as server:
        yield server


def sender(*addresses: str, seconds: float = PATIENCE_SECONDS, **given: Any) -> HttpSender:
    """A sender that finds every host at these addresses, or on loopback."""
    return HttpSender(
        allow_loopback=given.pop("allow_loopback", True),
        seconds=seconds,
        resolve=lambda _host, _port: list(addresses) or [LOOPBACK],
        **given,
    )


def failure_of(by: HttpSender, url: str) -> Failure:
    with pytest.raises(NotDelivered) as problem:
        by.post(url, b"{}", {})
    return problem.value.failure


def test_the_body_and_the_headers_arrive_as_they_are(receiver: Loopback) -> None:
    receiver.script = [answer(204, "")]
    headers = {"Content-Type": "application/json", "webhook-id": "1"}
    body = '{"type":"sms.sent","data":"\u00fc"}'
    reply = sender().post(f"{receiver.url}/hook?a=b", body.encode(), headers)
    assert reply == Reply(204)
    (request,) = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook?a=b", body)
    assert request.headers == {
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": str(len(body.encode())),
        "content-type": "application/json",
        "host": receiver.host,
        "webhook-id": "1",
    }


@pytest.mark.parametrize("status", [200, 201, 299, 400, 404, 410, 429, 500, 503])
def test_every_answer_is_an_answer(receiver: Loopback, status: int) -> None:
    receiver.script = [answer(status, "whatever", Retry_After="7")]
    assert sender().post(receiver.url, b"{}", {}) == Reply(status, "7")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Loopback, status: int) -> None:
    """Breaks when the sender follows redirects, as `requests` does by default."""
    with Loopback() as elsewhere:
        receiver.script = [answer(status, "", Location=f"{elsewhere.url}/")]
        assert sender().post(receiver.url, b"{}", {}).status == status
        assert elsewhere.connections == 0
    assert receiver.connections == 1


def test_silent_receiver_is_given_up_in_time(receiver: Loopback) -> None:
    """Breaks when a `TimeoutError` is taken for any other error: leave its `except` out of `post`."""
    receiver.script = [hang]
    assert failure_of(sender(seconds=SHORT), receiver.url) is Failure.TIMEOUT


def test_a_receiver_that_trickles_does_not_get_more_time(receiver: Loopback) -> None:
    """Breaks when the limit counts from byte to byte: leave `_arm` out of `receive_into`."""

    def trickle(server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(40):
            if server.closing.wait(SHORT / 8):
                break
            peer.sendall(b"a")
        return False

    receiver.script = [trickle]
    assert failure_of(sender(seconds=SHORT), receiver.url) is Failure.TIMEOUT


def test_interim_answers_are_read_past(receiver: Loopback) -> None:
    """Breaks when a 103 is taken for the answer: return the first status in `_read_status`."""

    def hint_first(_server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")
        peer.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
        return False

    receiver.script = [hint_first]
    assert sender().post(receiver.url, b"{}", {}) == Reply(410)


def test_once_the_status_is_known_the_body_cannot_undo_it(receiver: Loopback) -> None:
    def promise(server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        server.closing.wait(PATIENCE_SECONDS)
        return False

    receiver.script = [promise, cut_in_the_middle]
    assert sender(seconds=5 * SHORT).post(receiver.url, b"{}", {}).status == 200
    assert sender().post(receiver.url, b"{}", {}).status == 201


def test_a_shorter_deadline_shortens_the_wait_for_the_next_bytes() -> None:
    """Breaks when a socket keeps its first timeout: `if self._armed is None:` in `_arm`."""
    ours, theirs = socket.socketpair()
    now = [100.0]
    with ours, theirs:
        opened = TimedSocket(ours, Deadline(10, lambda: now[0]))
        opened.sendall(b"a")
        assert ours.gettimeout() == 10
        now[0] += 0.01  # so small a difference is not worth a system call
        opened.sendall(b"b")
        assert ours.gettimeout() == 10
        opened.deadline.shorten(1)
        theirs.sendall(b"c")
        assert opened.receive_into(bytearray(1)) == 1
        assert ours.gettimeout() == 1
        opened.deadline = Deadline(20, lambda: now[0])
        opened.sendall(b"d")
        assert ours.gettimeout() == 20


def test_an_endless_body_is_not_read(receiver: Loopback) -> None:
    """Breaks when the whole body is read: `answer.read()`."""
    ended = threading.Event()

    def pour(server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.settimeout(PATIENCE_SECONDS)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        try:
            while not server.closing.is_set():
                peer.sendall(b"x" * 65536)
        except OSError:
            ended.set()
        return False

    receiver.script = [pour]
    assert sender().post(receiver.url, b"{}", {}).status == 200
    assert ended.wait(PATIENCE_SECONDS)


def test_no_answer_or_none_that_is_http_is_a_failure(receiver: Loopback) -> None:
    def babble(_server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
        return False

    def many_headers(_server: Loopback, peer: socket.socket, _request: Received) -> bool:
        peer.sendall(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n")
        return False

    receiver.script = [hang_up, babble, many_headers]
    for _ in range(3):
        assert failure_of(sender(), receiver.url) is Failure.BROKEN_ANSWER


def closed_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


def test_closed_port_is_not_connected() -> None:
    url = f"https://{NAME}:{closed_port()}/"
    assert failure_of(sender(LOOPBACK), url) is Failure.NOT_CONNECTED
    assert failure_of(sender("127.0.0.2", LOOPBACK), url) is Failure.NOT_CONNECTED


def test_a_host_without_an_address_is_not_found() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert failure_of(HttpSender(resolve=unknown), f"https://{NAME}/") is Failure.NAME_NOT_FOUND
    nowhere = HttpSender(resolve=lambda _host, _port: [])
    assert failure_of(nowhere, f"https://{NAME}/") is Failure.NAME_NOT_FOUND


def test_a_name_server_that_hangs_is_given_up_in_time() -> None:
    """Breaks when the look-up runs in the worker's own thread: it knows no time limit."""
    over, late = threading.Event(), threading.Event()

    def slow(_host: str, _port: int) -> list[str]:
        if not over.wait(PATIENCE_SECONDS):
            late.set()
        return ["8.8.8.8"]

    by = HttpSender(resolve=slow, seconds=SHORT)
    assert failure_of(by, f"https://{NAME}/") is Failure.TIMEOUT
    over.set()
    assert not late.is_set()


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:192.168.0.1"],
        ["fd00:ec2::254"],
        ["8.8.8.8", "10.0.0.1"],
        [LOOPBACK],
    ],
)
def test_a_name_of_a_private_address_is_refused(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when only the URL is looked at, or only the first address."""
    tried: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda *given, **_: tried.append(given))
    by = sender(*addresses, allow_loopback=False)
    assert failure_of(by, f"https://{NAME}/") is Failure.ADDRESS_REFUSED
    assert tried == []


def test_loopback_is_refused_by_default(receiver: Loopback) -> None:
    by = HttpSender()
    assert failure_of(by, receiver.url) is Failure.ADDRESS_REFUSED
    assert failure_of(by, receiver.url.replace("http:", "https:")) is Failure.ADDRESS_REFUSED
    assert receiver.connections == 0


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    certified: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS that changes its answer: good for the check, private a moment later.

    Breaks when the name instead of the checked address goes to `create_connection`.
    """
    answers = iter([[LOOPBACK], ["10.0.0.1"], [LOOPBACK]])
    asked: list[str] = []

    def changing(host: str, _port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    def system(*_: Any, **__: Any) -> Any:
        raise AssertionError("the system was asked again")

    connected = _connections(monkeypatch)
    tls = certified(NAME)
    by = HttpSender(allow_loopback=True, resolve=changing, tls=tls.client, seconds=PATIENCE_SECONDS)
    with Loopback(tls=tls.server) as server:
        port = int(server.host.partition(":")[2])
        url = f"https://{NAME}:{port}/"
        monkeypatch.setattr(socket, "gethostbyname", system)
        assert by.post(url, b"{}", {}).status == 201
        assert failure_of(by, url) is Failure.ADDRESS_REFUSED
        assert by.post(url, b"{}", {}).status == 201
    assert asked == [NAME] * 3
    assert connected == [(LOOPBACK, port)] * 2


def _connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Note where every connection goes, and let it."""
    found: list[tuple[str, int]] = []
    really = socket.create_connection

    def noting(address: tuple[str, int], *given: Any, **named: Any) -> socket.socket:
        found.append(address)
        return really(address, *given, **named)

    monkeypatch.setattr(socket, "create_connection", noting)
    return found


def test_tls_and_host_are_for_the_name_not_for_the_address(certified: Callable[..., Any]) -> None:
    tls, asked_for = certified(NAME), []

    def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked_for.append(name)

    tls.server.sni_callback = note
    with Loopback(tls=tls.server) as server:
        port = server.host.partition(":")[2]
        url = f"https://{NAME}:{port}/hook"
        sender(LOOPBACK, tls=tls.client).post(url, b"{}", {})
        assert server.requests[0].headers["host"] == f"{NAME}:{port}"
    assert asked_for == [NAME]


def test_a_certificate_for_another_name_is_refused(certified: Callable[..., Any]) -> None:
    tls = certified("other.example.com")
    with Loopback(tls=tls.server) as server:
        url = server.url.replace(LOOPBACK, NAME)
        assert failure_of(sender(LOOPBACK, tls=tls.client), url) is Failure.TLS
        assert server.requests == []


def test_untrusted_certificate_is_refused(certified: Callable[..., Any]) -> None:
    with Loopback(tls=certified(NAME).server) as server:
        url = server.url.replace(LOOPBACK, NAME)
        assert failure_of(sender(LOOPBACK), url) is Failure.TLS
        assert server.requests == []


def test_server_without_tls_is_a_tls_failure() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:

        def speak() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"220 mail.example.com ESMTP\r\n")
                peer.recv(65536)

        talking = threading.Thread(target=speak)
        talking.start()
        url = f"https://{NAME}:{server.getsockname()[1]}/"
        assert failure_of(sender(), url) is Failure.TLS
        talking.join(PATIENCE_SECONDS)


def test_a_handshake_that_never_ends_is_given_up_in_time() -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        url = f"https://{NAME}:{silent.getsockname()[1]}/"
        assert failure_of(sender(LOOPBACK, seconds=SHORT), url) is Failure.TIMEOUT


def test_the_next_address_is_tried_where_the_first_does_not_answer(
    certified: Callable[..., Any],
) -> None:
    tls = certified(NAME)
    with Loopback(tls=tls.server) as server:
        url = server.url.replace(LOOPBACK, NAME)
        assert sender("127.0.0.2", LOOPBACK, tls=tls.client).post(url, b"{}", {}).status == 201


def test_no_proxy_of_the_environment_chooses_the_address(
    receiver: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks with a client that reads `HTTPS_PROXY` and lets the proxy resolve the name."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:{closed_port()}")
    receiver.script = [answer(204, "")]
    assert sender().post(receiver.url, b"{}", {}).status == 204


def test_a_deadline_is_one_for_all_that_asks_it() -> None:
    now = [100.0]
    deadline = Deadline(10, lambda: now[0])
    assert deadline.remaining() == 10
    now[0] = 107.0
    assert deadline.remaining() == 3
    deadline.shorten(60)
    assert deadline.remaining() == 3
    deadline.shorten(1)
    assert deadline.remaining() == 1
    now[0] = 108.0
    with pytest.raises(TimeoutError):
        deadline.remaining()
