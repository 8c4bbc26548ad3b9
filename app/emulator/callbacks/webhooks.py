"""An HTTP client for permitted webhooks, with Twilio's signature, timeouts and retries.

A URL says its timeouts and retries in its fragment (Twilio, connection overrides).
"""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import secrets
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urldefrag, urlencode, urlsplit

from app.emulator.config import ANY_HOST
from app.emulator.whole_numbers import read_whole_number

_MOST_READ: Final = 65_536


class CallbackOutcome(StrEnum):
    """The result of an attempt; retry policies use these words of Twilio's."""

    ANSWERED = "answered"
    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"
    NO_CONNECTION = "ct"
    NO_ANSWER_IN_TIME = "rt"
    BROKEN_OFF = "broken off"
    NOT_PERMITTED = "not permitted"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one attempt; `http_status` is null without an answer."""

    outcome: CallbackOutcome
    http_status: int | None = None
    content_type: str = ""
    body: str = ""

    @property
    def failure(self) -> str | None:
        if self.http_status is not None:
            return None
        return {
            CallbackOutcome.NOT_PERMITTED: (
                "the host is not loopback and not allowed by the configuration"
            ),
            CallbackOutcome.NO_CONNECTION: "no connection",
            CallbackOutcome.NO_ANSWER_IN_TIME: "no answer in time",
        }.get(self.outcome, "the connection broke")


def outcome_of(http_status: int) -> CallbackOutcome:
    errors = {4: CallbackOutcome.CLIENT_ERROR, 5: CallbackOutcome.SERVER_ERROR}
    return errors.get(http_status // 100, CallbackOutcome.ANSWERED)


_POLICIES: Final[Mapping[str, frozenset[CallbackOutcome]]] = {
    "4xx": frozenset({CallbackOutcome.CLIENT_ERROR}),
    "5xx": frozenset({CallbackOutcome.SERVER_ERROR}),
    "ct": frozenset({CallbackOutcome.NO_CONNECTION}),
    "rt": frozenset({CallbackOutcome.NO_ANSWER_IN_TIME}),
    # Twilio documents no policy for a connection that breaks during the answer: "all" covers it.
    "all": frozenset(
        set(CallbackOutcome) - {CallbackOutcome.ANSWERED, CallbackOutcome.NOT_PERMITTED}
    ),
}


@dataclass(frozen=True, slots=True)
class ConnectionOverrides:
    """Timeouts and retries of one URL; the defaults are Twilio's."""

    connect_seconds: float = 5
    read_seconds: float = 15
    total_seconds: float = 15
    retries: int = 1
    retried: frozenset[CallbackOutcome] = _POLICIES["ct"]


def is_valid(url: str) -> bool:
    """Whether Twilio accepts this as a callback URL."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme in ("http", "https") and bool(host) and "_" not in host


def is_permitted(url: str, allowed_hosts: Collection[str]) -> bool:
    """Whether the emulator may call this host: loopback, or one in `allowed_hosts`."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host in allowed_hosts or ANY_HOST in allowed_hosts:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def connection_overrides(url: str) -> ConnectionOverrides:
    """Invalid values are ignored."""
    fragment = dict(parse_qsl(urlsplit(url).fragment))
    usual = ConnectionOverrides()
    policies = fragment.get("rp", "ct").split(",")
    known = [_POLICIES[policy] for policy in policies if policy in _POLICIES]
    return ConnectionOverrides(
        connect_seconds=_number(fragment, "ct", 100, 10_000, 5_000) / 1000,
        read_seconds=_number(fragment, "rt", 100, 15_000, 15_000) / 1000,
        total_seconds=_number(fragment, "tt", 100, 15_000, 15_000) / 1000,
        retries=_number(fragment, "rc", 0, 5, usual.retries),
        retried=frozenset[CallbackOutcome]().union(*known) if known else usual.retried,
    )


def _number(fragment: Mapping[str, str], key: str, low: int, high: int, default: int) -> int:
    found = read_whole_number(fragment.get(key, ""), low, high)
    return default if found is None else found


def signature(auth_token: str, url: str, params: Mapping[str, str]) -> str:
    """Signs a form for this URL without its fragment."""
    signed = urldefrag(url).url + "".join(name + params[name] for name in sorted(params))
    digest = hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()


class WebhookPoster:
    def __init__(self, allowed_hosts: Collection[str], retry_pause_seconds: float) -> None:
        self._allowed_hosts = allowed_hosts
        self._retry_pause_seconds = retry_pause_seconds
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def attempts(self, url: str, params: Mapping[str, str], key: str) -> Iterator[Answer]:
        """Posts the form signed by `key`, retries as the URL says, and yields each attempt."""
        if not is_permitted(url, self._allowed_hosts):
            yield Answer(CallbackOutcome.NOT_PERMITTED)
            return
        rules = connection_overrides(url)
        headers = _headers(url, params, key)
        deadline = time.monotonic() + rules.total_seconds
        for tried in range(1, rules.retries + 2):
            left = deadline - time.monotonic()
            waits = min(rules.connect_seconds, left), min(rules.read_seconds, left)
            answer = self._post(url, urlencode(params), headers, waits)
            yield answer
            if answer.outcome not in rules.retried:
                return
            pause = self._retry_pause_seconds * tried
            if time.monotonic() + pause >= deadline or self._closed.wait(pause):
                return

    def _post(
        self, url: str, form: str, headers: dict[str, str], waits: tuple[float, float]
    ) -> Answer:
        parts = urlsplit(url)
        with closing(_connection(parts, waits[0])) as connection:
            try:
                connection.connect()
            except (OSError, UnicodeError):  # UnicodeError: an invalid host name
                return Answer(CallbackOutcome.NO_CONNECTION)
            link = connection.sock
            link.settimeout(waits[1])
            if not self._enter(link):
                return Answer(CallbackOutcome.BROKEN_OFF)
            try:
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                return _exchange(connection, target, form, headers)
            finally:
                self._leave(link)

    def _enter(self, link: socket.socket) -> bool:
        """Registers a connection for `close`; returns false if `close` was called already."""
        with self._lock:
            if not self._closed.is_set():
                self._open.add(link)
            return link in self._open

    def _leave(self, link: socket.socket) -> None:
        with self._lock:
            self._open.discard(link)

    def close(self) -> None:
        """Breaks pauses and connections, so that a slow receiver delays no shutdown."""
        self._closed.set()
        with self._lock:
            for link in self._open:
                with suppress(OSError):  # already gone
                    link.shutdown(socket.SHUT_RDWR)


def _connection(parts: SplitResult, connect_seconds: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=connect_seconds)


def _headers(url: str, params: Mapping[str, str], key: str) -> dict[str, str]:
    return {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "User-Agent": "TwilioProxy/1.1",
        "X-Twilio-Signature": signature(key, url, params),
        "I-Twilio-Idempotency-Token": secrets.token_hex(16),
        "X-Home-Region": "us1",
        "Accept": "*/*",
    }


def _exchange(
    connection: http.client.HTTPConnection, target: str, form: str, headers: dict[str, str]
) -> Answer:
    try:
        connection.request("POST", target, form, headers)
        with connection.getresponse() as response:
            body = response.read(_MOST_READ).decode(errors="replace")
            kind = response.headers.get("Content-Type", "")
            return Answer(outcome_of(response.status), response.status, kind, body)
    except TimeoutError:
        return Answer(CallbackOutcome.NO_ANSWER_IN_TIME)
    except (OSError, http.client.HTTPException):
        return Answer(CallbackOutcome.BROKEN_OFF)
