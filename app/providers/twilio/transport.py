"""The HTTP client under Twilio's SDK: urllib3 with one deadline for a call.

A failure before the connection is `NotConnected`, every later one `NotConfirmed`. A connection with
unexpected bytes is closed, because its next answer may belong to another request.
"""

import json
import logging
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlsplit

import urllib3
from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.exceptions import NewConnectionError

from app.http_exchange import POOLS, NoConnection
from app.kernel.clock import read_retry_after, utc_now

# For look-up, connection and TLS together; for the whole answer. A call takes at most their sum.
CONNECT_SECONDS = 1.25
READ_SECONDS = 10.0
# A page of fifty messages with the longest texts has a quarter of this size.
LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
# More than Twilio has.
_MOST_HOSTS = 32
_PIECE_BYTES = 64 * 1024
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
    ) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False)
        self._other_calls = None if other_calls is None else threading.Semaphore(other_calls)
        self._base_url = base_url
        self._manager = urllib3.PoolManager(
            num_pools=_MOST_HOSTS,
            maxsize=pool_size,
            retries=False,
            timeout=urllib3.Timeout(
                total=connect_seconds + read_seconds, connect=connect_seconds, read=read_seconds
            ),
        )
        self._manager.pool_classes_by_scheme = dict(POOLS)
        self._pool_of = lru_cache(maxsize=_MOST_HOSTS)(self._find_pool)

    def close(self) -> None:
        self._pool_of.cache_clear()
        self._manager.clear()

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
            sent |= urllib3.make_headers(basic_auth=":".join(auth))
        body = None if data is None else form_body(_pairs(data))
        parts = urlsplit(uri)
        path, query = parts.path, form_body(_pairs(params)) if params else parts.query
        pool, prefix = self._pool_of(self._base_url or f"{parts.scheme}://{parts.netloc}")
        target = prefix + path + (f"?{query}" if query else "")
        is_send = method.upper() == "POST" and path.endswith("/Messages.json")
        with nullcontext() if is_send else self._other_call():
            answer, hold = _ask(pool, method.upper(), target, body, sent)
            text = _read_whole(answer, hold)
        found = _read_object(text)
        is_foreign = found is not None and _is_about_another(found, path, data if is_send else None)
        if found is None or is_foreign:
            hold.close()
        hold.release()
        if answer.status == _TOO_MANY_REQUESTS:
            raise Throttled(read_retry_after(answer.headers.get("Retry-After"), utc_now()))
        if is_foreign:
            raise NotConfirmed("an answer about something else")
        return Response(answer.status, text, answer.headers)

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

    def _find_pool(self, origin: str) -> tuple[urllib3.HTTPConnectionPool, str]:
        """Return the connections of a server, and the path that its address has."""
        return self._manager.connection_from_url(origin), urlsplit(origin).path


def _ask(
    pool: urllib3.HTTPConnectionPool,
    method: str,
    target: str,
    body: str | None,
    headers: dict[str, str],
) -> tuple[urllib3.BaseHTTPResponse, "_Hold"]:
    try:
        answer = pool.urlopen(
            method,
            target,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
    except (NoConnection, NewConnectionError) as problem:
        raise NotConnected(type(problem).__name__) from problem
    except Exception as problem:
        # Any other error may be a defect in reading the answer; the request was sent.
        raise NotConfirmed(type(problem).__name__) from problem
    return answer, _Hold(answer)


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


class _Hold:
    """Reserves the connection until the answer has been checked."""

    def __init__(self, answer: Any) -> None:
        self._pool, self._connection = answer._pool, answer._connection  # noqa: SLF001
        answer._connection = None  # noqa: SLF001

    def close(self) -> None:
        self._connection.close()

    def release(self) -> None:
        """A closed connection is opened again."""
        self._pool._put_conn(self._connection)  # noqa: SLF001


def _read_whole(answer: urllib3.BaseHTTPResponse, hold: _Hold) -> str:
    found = bytearray()
    try:
        for piece in answer.stream(_PIECE_BYTES, decode_content=False):
            found += piece
            if len(found) > LARGEST_ANSWER_BYTES:
                raise NotConfirmed("the answer is too large")  # noqa: TRY301
    except BaseException as problem:
        answer.close()
        hold.close()
        hold.release()
        if isinstance(problem, NotConfirmed) or not isinstance(problem, Exception):
            raise
        raise NotConfirmed(type(problem).__name__) from problem
    return found.decode("utf-8", "replace")


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
