"""What the API answers. Fields that this version does not know are ignored."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

T = TypeVar("T")
ENDED = frozenset({"delivered", "undelivered", "failed"})


@dataclass(frozen=True)
class Message:
    """One outbound message. ``status`` is pending, sent, delivered, undelivered or failed."""

    id: str
    use_case_id: str
    message_sid: str | None
    from_number: str | None
    to_number: str
    body: str | None
    num_segments: int | None
    status: str
    handed_off_at: datetime | None
    delivered_at: datetime | None
    errored_at: datetime | None
    error_code: int | None
    created_at: datetime
    updated_at: datetime

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ENDED


@dataclass(frozen=True)
class Event:
    """One report of Twilio's about a message."""

    at: datetime
    status: str
    provider_status: str | None
    error_code: int | None
    applied: bool
    reason: str | None
    repeats: int


@dataclass(frozen=True)
class Destinations:
    """The country map of a workspace: ``allowed`` or ``blocked``; absent means blocked."""

    destinations: Mapping[str, str]
    revision: int


@dataclass(frozen=True)
class Verdict:
    """Whether a number may be reached; ``code`` says why not."""

    number: str
    canonical: str | None
    allowed: bool
    code: str | None
    country: str | None
    rule: str | None
    scope: str | None
    source: str | None
    revision: int
    provider_closed: bool | None


@dataclass(frozen=True)
class Guards:
    """The limits of a workspace and of its use cases."""

    workspace_id: str
    revision: int
    guards: Mapping[str, Any]
    use_cases: Mapping[str, Any]


@dataclass(frozen=True)
class WebhookEvent:
    """One verified event. ``id`` is the same in every attempt: skip those that you have had."""

    id: str
    type: str
    timestamp: datetime
    data: Mapping[str, Any]


def read(kind: type[T], found: Mapping[str, Any]) -> T:
    """Make a model from an answer."""
    values = {one.name: found.get(one.name) for one in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _value(name, value) for name, value in values.items()})


def _value(name: str, value: Any) -> Any:
    is_time = name in {"at", "timestamp"} or name.endswith("_at")
    return time_of(value) if is_time and isinstance(value, str) else value


def time_of(text: str) -> datetime:
    """Read a time of the API: RFC 3339 in UTC."""
    return datetime.fromisoformat(text)
