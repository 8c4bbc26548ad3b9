"""The result of a delivery attempt. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

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
