"""Fixtures: a running emulator, Twilio's own SDK pointed at it, and a receiver of callbacks."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from app.emulator.config import EmulatorConfig
from app.emulator.emulator import Emulator
from app.emulator.server import EmulatorServer
from support.polling import PATIENCE_SECONDS

ACCOUNT = "AC" + "1" * 32
TOKEN = "an-auth-token"
SERVICE = "MG" + "2" * 32
START = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


class EmulatorHttpClient(TwilioHttpClient):
    """Twilio's own transport; only scheme and host are replaced, as a gateway would."""

    def __init__(self, base_url: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.hostname.endswith(".twilio.com")
        base = urlsplit(self.base_url)
        rewritten = parts._replace(scheme=base.scheme, netloc=base.netloc).geturl()
        return super().request(method, rewritten, *args, **kwargs)


@dataclass
class Received:
    """One webhook as it arrived."""

    path: str
    headers: dict[str, str]
    form: dict[str, str]

    @property
    def status(self) -> str:
        return self.form["MessageStatus"]


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


class Receiver:
    """Takes webhooks and answers with the next planned HTTP status, else 204.

    A planned `hang` waits until the receiver is closed, `drop` closes without an answer.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.plan: list[int | str] = []
        self.on_receive: Callable[[Received], None] = lambda received: None
        self.arrived = threading.Event()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/status"

    @property
    def statuses(self) -> list[str]:
        return [received.status for received in self.received]

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        form = dict(parse_qsl(raw, keep_blank_values=True, strict_parsing=True))
        received = Received(handler.path, dict(handler.headers), form)
        with self._lock:
            self.received.append(received)
            answer = self.plan.pop(0) if self.plan else 204
        self.arrived.set()
        self.on_receive(received)
        if answer == "hang":
            self.closing.wait()
        elif answer != "drop":
            handler.send_response(int(answer))
            handler.end_headers()

    def is_genuine(self, received: Received, token: str = TOKEN) -> bool:
        """Whether Twilio's own validator takes the signature for the exact URL."""
        url = f"http://127.0.0.1:{self.server.server_port}{received.path}"
        signature = received.headers["X-Twilio-Signature"]
        return bool(RequestValidator(token).validate(url, received.form, signature))

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    at: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def server(clock: Clock) -> Iterator[EmulatorServer]:
    config = EmulatorConfig(status_pace_seconds=0, retry_pause_seconds=0.01, now=clock)
    with EmulatorServer(config=config) as running:
        yield running


@pytest.fixture
def sdk(server: EmulatorServer) -> Iterator[Callable[..., Client]]:
    """Makes SDK clients of the running emulator."""
    transports: list[EmulatorHttpClient] = []

    def make(user: str = ACCOUNT, secret: str = TOKEN, **kwargs: Any) -> Client:
        transport = EmulatorHttpClient(server.url, timeout=kwargs.pop("timeout", PATIENCE_SECONDS))
        transports.append(transport)
        return Client(user, secret, http_client=transport, **kwargs)

    yield make
    for transport in transports:
        assert transport.session is not None
        transport.session.close()


@pytest.fixture
def client(sdk: Callable[..., Client]) -> Client:
    return sdk()


@pytest.fixture
def http(server: EmulatorServer) -> Iterator[Callable[..., requests.Response]]:
    """Calls the emulator without an SDK, by default with the account's credentials."""
    with requests.Session() as session:

        def call(method: str, path: str, **kwargs: Any) -> requests.Response:
            kwargs.setdefault("auth", (ACCOUNT, TOKEN))
            return session.request(method, server.url + path, timeout=PATIENCE_SECONDS, **kwargs)

        yield call


@dataclass
class Emulated:
    """A running emulator, its callers, and the receiver of its callbacks."""

    server: EmulatorServer
    receiver: Receiver
    sdk: Callable[..., Client]
    http: Callable[..., requests.Response]
    client: Client

    @property
    def emulator(self) -> Emulator:
        return self.server.emulator

    def send(self, **kwargs: Any) -> Any:
        """Send a message through the Messaging Service with a callback to the receiver."""
        order = {
            "to": "+12025550143",
            "body": "Hello",
            "messaging_service_sid": SERVICE,
            "status_callback": f"{self.receiver.url}?message_id=m-1",
        }
        return self.client.messages.create(**{**order, **kwargs})

    def quiet(self) -> None:
        """Wait until every status and callback that was planned is done."""
        assert self.emulator.wait_until_quiet(PATIENCE_SECONDS)

    def deliver(self, **kwargs: Any) -> Any:
        """Send a message, and wait until its life is over."""
        message = self.send(**kwargs)
        self.quiet()
        return message

    def control(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call a control without credentials."""
        return self.http(method, f"/emulator/{path}", json=body, auth=None)


@pytest.fixture
def twilio(
    server: EmulatorServer,
    receiver: Receiver,
    sdk: Callable[..., Client],
    http: Callable[..., requests.Response],
) -> Emulated:
    return Emulated(server, receiver, sdk, http, sdk())
