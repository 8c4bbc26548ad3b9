"""Messages with their segments (GSM 03.38), callback attempts, and the store of messages."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, urlsplit

API_VERSION: Final = "2010-04-01"
_GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_ESCAPED: Final = frozenset("\f^{}\\[~]|€")
_GSM_SINGLE, _GSM_PART = 160, 153
_UCS2_SINGLE, _UCS2_PART = 70, 67
_LAST_OF_BASIC_PLANE: Final = 0xFFFF


class TwilioStatus(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    RECEIVING = "receiving"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    READ = "read"
    PARTIALLY_DELIVERED = "partially_delivered"
    CANCELED = "canceled"


UNFINISHED: Final = frozenset(
    {TwilioStatus.ACCEPTED, TwilioStatus.SCHEDULED, TwilioStatus.QUEUED, TwilioStatus.SENDING}
)
HANDED_OFF: Final = frozenset(
    {TwilioStatus.SENT, TwilioStatus.DELIVERED, TwilioStatus.UNDELIVERED, TwilioStatus.READ}
)


@dataclass(frozen=True, slots=True)
class Stage:
    status: TwilioStatus
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message; `sender` is null until a Messaging Service has chosen one."""

    sid: str
    account_sid: str
    to: str
    body: str = field(repr=False)
    sender: str | None
    messaging_service_sid: str | None
    status_callback: str | None
    status: TwilioStatus
    num_segments: int
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    error_code: int | None = None
    # True once the control API has set a status: the scenario's steps no longer apply.
    forced: bool = False

    @property
    def message_id(self) -> str | None:
        """The gateway's own id, from the query of the status callback."""
        query = parse_qs(urlsplit(self.status_callback or "").query)
        return query.get("message_id", [None])[0]


@dataclass(frozen=True, slots=True)
class CallbackAttempt:
    """One attempt to call a webhook; either `http_status` or `failure` is null."""

    at: datetime
    message_sid: str
    message_id: str | None
    status: str
    attempt: int
    http_status: int | None
    failure: str | None


class MessageBook:
    """``created`` counts messages since the last reset, ``attempted`` also refused calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._messages: dict[str, Message] = {}
            self.created = self.attempted = 0

    def count_attempt(self) -> None:
        with self._lock:
            self.attempted += 1

    def add(self, message: Message) -> None:
        with self._lock:
            self.created += 1
            self._messages[message.sid] = message

    def find(self, sid: str) -> Message | None:
        with self._lock:
            return self._messages.get(sid)

    def change(self, sid: str, change: Callable[[Message], Message]) -> Message | None:
        """Applies `change` to a message; returns null if it does not exist."""
        with self._lock:
            message = self._messages.get(sid)
            if message is not None:
                message = self._messages[sid] = change(message)
            return message

    def delete(self, sid: str) -> None:
        """Removes a message; it still counts as created."""
        with self._lock:
            self._messages.pop(sid, None)

    def newest_first(self) -> list[Message]:
        with self._lock:
            return list(reversed(self._messages.values()))


def count_segments(body: str) -> int:
    """Counts segments; an empty body takes one."""
    if all(char in _GSM_BASIC or char in _GSM_ESCAPED for char in body):
        return _fill((1 + (char in _GSM_ESCAPED) for char in body), _GSM_SINGLE, _GSM_PART)
    return _fill(
        (1 + (ord(char) > _LAST_OF_BASIC_PLANE) for char in body), _UCS2_SINGLE, _UCS2_PART
    )


def _fill(widths: Iterable[int], single: int, part: int) -> int:
    """A character of two units is not split between two segments."""
    units = list(widths)
    if sum(units) <= single:
        return 1
    segments, used = 1, 0
    for width in units:
        if used + width > part:
            segments, used = segments + 1, 0
        used += width
    return segments
