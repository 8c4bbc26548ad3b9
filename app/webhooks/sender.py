"""One attempt: an event is posted over HTTP, without redirects or proxies, with one deadline."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from http.client import HTTPException
from typing import Protocol

from app.http_exchange import (
    Deadline,
    Resolve,
    TimedSocket,
    look_up,
    look_up_in_time,
    open_first,
    send_request,
    start_tls,
)
from app.webhooks.address import Target, UrlRefused, may_reach, read_url

_GONE = 410
SECONDS = 10.0
_BODY_SECONDS = 1.0
_BODY_BYTES = 1024


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


@contextmanager
def _failing_as(failure: Failure, *kinds: type[Exception]) -> Iterator[None]:
    """Name the failure of a stage; a timeout is one in each."""
    try:
        yield
    except TimeoutError:
        raise
    except kinds as problem:
        raise NotDelivered(failure) from problem


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
            opened = self._connect(target, self._permitted_addresses(target, deadline), deadline)
            return _exchange(opened, target, body, headers, deadline)
        except UrlRefused as problem:
            raise NotDelivered(Failure.ADDRESS_REFUSED) from problem
        except TimeoutError as problem:
            raise NotDelivered(Failure.TIMEOUT) from problem
        except (OSError, HTTPException, ValueError) as problem:
            raise NotDelivered(Failure.BROKEN_ANSWER) from problem

    def _permitted_addresses(self, target: Target, deadline: Deadline) -> list[str]:
        """Return the addresses of a host if all of them are permitted."""
        with _failing_as(Failure.NAME_NOT_FOUND, OSError, UnicodeError):
            found = look_up_in_time(self.resolve, target.host, target.port, deadline)
        if not found:
            raise NotDelivered(Failure.NAME_NOT_FOUND)
        if not all(may_reach(one, target, allow_loopback=self.allow_loopback) for one in found):
            raise NotDelivered(Failure.ADDRESS_REFUSED)
        return found

    def _connect(self, target: Target, addresses: list[str], deadline: Deadline) -> TimedSocket:
        """Open a socket to the first address that answers, with TLS for the host name."""
        with _failing_as(Failure.NOT_CONNECTED, OSError):
            raw = open_first(addresses, target.port, deadline)
        if target.is_tls:
            with _failing_as(Failure.TLS, OSError):
                raw = start_tls(raw, target.host, self._tls, deadline)
        return TimedSocket(raw, deadline)


def _exchange(
    opened: TimedSocket, target: Target, body: bytes, headers: Mapping[str, str], deadline: Deadline
) -> Reply:
    try:
        sent = {**headers, "Connection": "close"}
        answer = send_request(opened, ("POST", target.path), target.authority, sent, body)
        # Only the status counts; reading a little of the body lets the receiver finish normally.
        deadline.shorten(_BODY_SECONDS)
        with suppress(OSError, HTTPException, ValueError):
            answer.read(_BODY_BYTES)
        reply = Reply(answer.status, answer.headers.get("Retry-After"))
        answer.close()
        return reply
    finally:
        opened.close()
