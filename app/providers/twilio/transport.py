"""The HTTP client under Twilio's SDK: urllib3 with time limits and a pool that fits the threads.

It knows one thing that the SDK cannot say: whether a request can have reached the provider. What
fails before a connection stands is `NotConnected`; every later failure is `NotConfirmed`.
"""

import logging
from collections.abc import Mapping
from math import isfinite
from urllib.parse import urlencode, urlsplit

import urllib3
from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

CONNECT_SECONDS = 1.25
READ_SECONDS = 10.0
_TOO_MANY_REQUESTS = 429


class NotConnected(Exception):
    """No connection could be made: the request never left."""


class NotConfirmed(Exception):
    """The request may have left and no whole answer came back."""


class Throttled(Exception):
    """The provider turned the request away unread (429)."""

    def __init__(self, retry_after_seconds: float | None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(retry_after_seconds)


class _PlainConnection(HTTPConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except Exception as problem:
            raise NotConnected(type(problem).__name__) from problem


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except Exception as problem:
            raise NotConnected(type(problem).__name__) from problem


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class TwilioTransport(HttpClient):  # type: ignore[misc]
    """Serves every account of a process; connections are kept and shared by the threads."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        pool_size: int = 32,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False)
        self._base_url = base_url
        self._pool = urllib3.PoolManager(
            maxsize=pool_size,
            retries=False,
            timeout=urllib3.Timeout(connect=connect_seconds, read=read_seconds),
        )
        self._pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.clear()

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
        """Make one request, as the SDK asks for it.

        Raises:
            NotConnected, NotConfirmed, Throttled: see the classes.
        """
        sent = dict(headers or {})
        if auth is not None:
            sent |= urllib3.make_headers(basic_auth=":".join(auth))
        body = None
        if data is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(_pairs(data))
        url = self._target(uri) + (f"?{urlencode(_pairs(params))}" if params else "")
        answer = self._call(method.upper(), url, body, sent)
        if answer.status == _TOO_MANY_REQUESTS:
            raise Throttled(_seconds(answer.headers.get("Retry-After")))
        return Response(answer.status, answer.data.decode("utf-8", "replace"), answer.headers)

    def _call(
        self, method: str, url: str, body: str | None, headers: dict[str, str]
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(method, url, body=body, headers=headers, redirect=False)
        except NewConnectionError as problem:
            raise NotConnected(type(problem).__name__) from problem
        except HTTPError as problem:
            raise NotConfirmed(type(problem).__name__) from problem

    def _target(self, uri: str) -> str:
        if self._base_url is None:
            return uri
        parts = urlsplit(uri)
        return self._base_url + parts.path + (f"?{parts.query}" if parts.query else "")


def _pairs(values: Mapping[str, object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        many = value if isinstance(value, list | tuple) else [value]
        found.extend((name, one) for one in many)
    return found


def _seconds(header: str | None) -> float | None:
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return max(0.0, seconds) if isfinite(seconds) else None
