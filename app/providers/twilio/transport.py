"""The HTTP client under Twilio's SDK, with one deadline for a call.

A failure before the connection is `NotConnected`, every later one `NotConfirmed`. A connection with
unexpected bytes is closed, because its next answer may belong to another request.
"""

import json
import logging
import re
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any
from urllib.parse import quote_plus, urlsplit

from twilio.http import HttpClient
from twilio.http.response import Response

from app.http_answer import FinalAnswer
from app.http_exchange import Deadline, NoConnection, Server, TimedSocket, send_request
from app.kernel.clock import read_retry_after, utc_now

# For look-up, connection and TLS together; for the whole answer. A call takes at most their sum.
CONNECT_SECONDS = 1.25
READ_SECONDS = 10.0
# A page of fifty messages with the longest texts has a quarter of this size.
LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
_TOO_MANY_REQUESTS = 429
_SID_IN_PATH = re.compile(r"/([A-Z]{2}[0-9a-fA-F]{32})\.json", re.ASCII)


class NotConnected(Exception):
    """No connection could be made: the request was not sent."""


class NotConfirmed(Exception):
    """The request may have been sent, and no complete answer came back."""


class Throttled(Exception):
    """The provider refused the request without reading it (429)."""

    def __init__(self, retry_after_seconds: float | None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(retry_after_seconds)


class ReadResponse(Response):  # type: ignore[misc]
    """A response with the JSON object that it holds, or None."""

    def __init__(
        self, status: int, text: str, headers: object, found: dict[str, Any] | None
    ) -> None:
        super().__init__(status, text, headers)
        self.found = found


class TwilioTransport(HttpClient):  # type: ignore[misc]
    """The connections of all accounts of a process, shared by its threads.

    With ``other_calls``, at most so many calls that create no message run at once: further ones
    are `Throttled`, so they cannot take all threads.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        pool_size: int = 32,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        other_calls: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False)
        self._other_calls = None if other_calls is None else threading.Semaphore(other_calls)
        self._base_url = base_url
        self._read_seconds = read_seconds
        self._new_server = partial(Server, keep=pool_size, connect_seconds=connect_seconds, tls=tls)
        self._servers: dict[str, Server] = {}

    def close(self) -> None:
        for server in self._servers.values():
            server.close()

    def request(  # noqa: PLR0917
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002
        allow_redirects: bool = False,  # noqa: ARG002, FBT002
    ) -> Response:
        """Raises `NotConnected`, `NotConfirmed` or `Throttled`."""
        sent = dict(headers or {})
        if auth is not None:
            sent["Authorization"] = f"Basic {b64encode(':'.join(auth).encode()).decode()}"
        body = None if data is None else form_body(_pairs(data)).encode()
        parts = urlsplit(uri)
        path, query = parts.path, form_body(_pairs(params)) if params else parts.query
        server = self._server_of(self._base_url or f"{parts.scheme}://{parts.netloc}")
        target = server.path + path + (f"?{query}" if query else "")
        is_send = method.upper() == "POST" and path.endswith("/Messages.json")
        with nullcontext() if is_send else self._other_call():
            line = method.upper(), target
            connection, answer, text = _ask(server, line, sent, body, self._read_seconds)
        found = _read_object(text)
        is_foreign = found is not None and _is_about_another(found, path, data if is_send else None)
        if found is None or is_foreign or answer.will_close:
            connection.close()
        else:
            server.put_back(connection)
        if answer.status == _TOO_MANY_REQUESTS:
            raise Throttled(read_retry_after(answer.headers.get("Retry-After"), utc_now()))
        if is_foreign:
            raise NotConfirmed("an answer about something else")
        return ReadResponse(answer.status, text, answer.headers, found)

    @contextmanager
    def _other_call(self) -> Iterator[None]:
        if self._other_calls is None:
            yield
        elif self._other_calls.acquire(blocking=False):
            try:
                yield
            finally:
                self._other_calls.release()
        else:
            raise Throttled(1.0)

    def _server_of(self, origin: str) -> Server:
        found = self._servers.get(origin)
        return found or self._servers.setdefault(origin, self._new_server(origin))


def _ask(
    server: Server,
    line: tuple[str, str],
    headers: dict[str, str],
    body: bytes | None,
    seconds: float,
) -> tuple[TimedSocket, FinalAnswer, str]:
    try:
        connection = server.take()
    except NoConnection as problem:
        raise NotConnected(str(problem)) from problem
    try:
        connection.deadline = Deadline(seconds)
        answer = send_request(connection, line, server.authority, headers, body)
        text = answer.read_whole(LARGEST_ANSWER_BYTES).decode("utf-8", "replace")
    except BaseException as problem:
        connection.close()
        if not isinstance(problem, Exception):
            raise
        # Any error may be a defect in reading the answer; the request was sent.
        raise NotConfirmed(type(problem).__name__) from problem
    return connection, answer, text


_QUOTED = {code: quote_plus(bytes([code])) for code in range(256)}


def form_body(pairs: Iterable[tuple[str, object]]) -> str:
    """Encode like `urllib.parse.urlencode`, which calls a function for each character."""
    return "&".join([f"{_quoted(name)}={_quoted(str(value))}" for name, value in pairs])


def _quoted(text: str) -> str:
    return text.encode().decode("latin-1").translate(_QUOTED)


def _pairs(values: Mapping[str, object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        many = value if isinstance(value, list | tuple) else [value]
        found.extend((name, one) for one in many)
    return found


def _read_object(text: str) -> dict[str, Any] | None:
    """None if it is not an object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_about_another(
    found: dict[str, Any], path: str, message: Mapping[str, object] | None
) -> bool:
    """Whether an answer is about another resource or message.

    Twilio adds a prefix to texts of trial accounts, so number or text may differ.
    """
    sid, asked_for = found.get("sid"), _SID_IN_PATH.search(path)
    if asked_for is not None and isinstance(sid, str):
        return sid.lower() != asked_for[1].lower()
    to, body = found.get("to"), found.get("body")
    if message is None or not isinstance(to, str) or not isinstance(body, str):
        return False
    return to != message.get("To") and str(message.get("Body")) not in body
