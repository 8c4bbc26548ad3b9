"""An HTTP client for permitted webhooks, with Twilio's signature, timeouts and retries."""

import base64
import hashlib
import hmac
import http.client
import secrets
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, suppress
from typing import Final
from urllib.parse import SplitResult, urldefrag, urlencode, urlsplit

from app.emulator.callbacks.outcome import Answer, CallbackOutcome, outcome_of
from app.emulator.callbacks.url import connection_overrides, is_permitted


def signature(auth_token: str, url: str, params: Mapping[str, str]) -> str:
    """Signs a form for this URL without its fragment."""
    signed = urldefrag(url).url + "".join(name + params[name] for name in sorted(params))
    digest = hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()


_MOST_READ: Final = 65_536


class WebhookPoster:
    """Posts signed forms."""

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
                return _exchange(connection, _target(parts), form, headers)
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


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


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
