"""One attempt: an event is posted over HTTP, without redirects or proxies, with one deadline."""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from typing import Any, Protocol, cast

from app.http_answer import FinalAnswer
from app.http_exchange import Deadline, Resolve, TimedSocket, look_up, look_up_in_time, open_first
from app.webhooks.address import Target, UrlRefused, may_reach, read_url

_GONE = 410


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    STOPPED = "stopped"


class Failure(StrEnum):
    TIMEOUT = "timeout"
    ADDRESS_REFUSED = "address_refused"
    NAME_NOT_FOUND = "name_not_found"
    NOT_CONNECTED = "not_connected"
    TLS = "tls"
    BROKEN_ANSWER = "broken_answer"
    INTERNAL = "internal"


class NotDelivered(Exception):
    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.value)


@dataclass(frozen=True, slots=True)
class Reply:
    """A receiver's status, without its body."""

    status: int
    retry_after: str | None = None


class Sender(Protocol):
    """Posts one request, within a time limit and to a permitted address."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Return the response of any status; raises `NotDelivered` without one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    at: datetime
    milliseconds: int
    status: int | None = None
    failure: Failure | None = None
    retry_after: str | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004

    @property
    def is_gone(self) -> bool:
        """410 Gone: the receiver wants no more events."""
        return self.status == _GONE

    @property
    def is_internal_error(self) -> bool:
        """Whether the failure is not the receiver's."""
        return self.failure is Failure.INTERNAL


def permitted_addresses(
    target: Target, resolve: Resolve, deadline: Deadline, *, allow_loopback: bool
) -> list[str]:
    """Return the addresses of a host if all of them are permitted.

    Raises `NotDelivered` or `TimeoutError`.
    """
    try:
        found = look_up_in_time(resolve, target.host, target.port, deadline)
    except (OSError, UnicodeError) as problem:
        if isinstance(problem, TimeoutError):
            raise
        raise NotDelivered(Failure.NAME_NOT_FOUND) from problem
    if not found:
        raise NotDelivered(Failure.NAME_NOT_FOUND)
    if not all(may_reach(one, target, allow_loopback=allow_loopback) for one in found):
        raise NotDelivered(Failure.ADDRESS_REFUSED)
    return found


def connect(
    target: Target, addresses: list[str], deadline: Deadline, tls: ssl.SSLContext
) -> TimedSocket:
    """Open a socket to the first address that answers, with TLS for the host name.

    Raises `NotDelivered` or `TimeoutError`.
    """
    raw = _open(addresses, target.port, deadline)
    try:
        if not target.is_tls:
            return TimedSocket(raw, deadline)
        raw.settimeout(deadline.remaining())
        return TimedSocket(tls.wrap_socket(raw, server_hostname=target.host), deadline)
    except BaseException as problem:
        raw.close()
        if isinstance(problem, OSError) and not isinstance(problem, TimeoutError):
            raise NotDelivered(Failure.TLS) from problem
        raise


def _open(addresses: list[str], port: int, deadline: Deadline) -> socket.socket:
    try:
        return open_first(addresses, port, deadline)
    except TimeoutError:
        raise
    except OSError as problem:
        raise NotDelivered(Failure.NOT_CONNECTED) from problem


SECONDS = 10.0
_BODY_SECONDS = 1.0
_BODY_BYTES = 1024


@dataclass(kw_only=True)
class HttpSender:
    allow_loopback: bool = False
    seconds: float = SECONDS
    resolve: Resolve = look_up
    tls: ssl.SSLContext | None = None

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self.tls or ssl.create_default_context()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """A redirect is an answer; raises `NotDelivered` without one."""
        deadline = Deadline(self.seconds)
        try:
            target = read_url(url, allow_loopback=self.allow_loopback)
            addresses = permitted_addresses(
                target, self.resolve, deadline, allow_loopback=self.allow_loopback
            )
            opened = connect(target, addresses, deadline, self._tls)
            return _exchange(opened, target, body, headers, deadline)
        except UrlRefused as problem:
            raise NotDelivered(Failure.ADDRESS_REFUSED) from problem
        except TimeoutError as problem:
            raise NotDelivered(Failure.TIMEOUT) from problem
        except (OSError, HTTPException, ValueError) as problem:
            raise NotDelivered(Failure.BROKEN_ANSWER) from problem


class _Connection(HTTPConnection):
    response_class = FinalAnswer


def _exchange(
    opened: TimedSocket, target: Target, body: bytes, headers: Mapping[str, str], deadline: Deadline
) -> Reply:
    connection = _Connection(target.host, target.port)
    connection.sock = cast("Any", opened)
    try:
        sent = {**headers, "Host": target.authority, "Connection": "close"}
        connection.request("POST", target.path, body=body, headers=sent)
        answer = connection.getresponse()
        # Only the status counts; reading a little of the body lets the receiver finish normally.
        deadline.shorten(_BODY_SECONDS)
        with suppress(OSError, HTTPException, ValueError):
            answer.read(_BODY_BYTES)
        reply = Reply(answer.status, answer.headers.get("Retry-After"))
        answer.close()
        return reply
    finally:
        connection.close()
