"""Messages and callback attempts."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, urlsplit

API_VERSION: Final = "2010-04-01"


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
