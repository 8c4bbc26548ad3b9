"""Values that describe a message and a callback attempt."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, urlsplit

API_VERSION: Final = "2010-04-01"


class TwilioStatus(StrEnum):
    """Twilio's closed set of message statuses."""

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
    """One point in a message's life: a status, and the error that belongs to it."""

    status: TwilioStatus
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is now; `sender` is null until a Messaging Service has chosen one."""

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
    # A status forced by the control API ends what the scenario had planned.
    forced: bool = False

    @property
    def message_id(self) -> str | None:
        """The caller's own id, as it stands in the query of the status callback."""
        query = parse_qs(urlsplit(self.status_callback or "").query)
        return query.get("message_id", [None])[0]


@dataclass(frozen=True, slots=True)
class CallbackAttempt:
    """One attempt to call a webhook; `http_status` and `failure` exclude each other."""

    at: datetime
    message_sid: str
    message_id: str | None
    status: str
    attempt: int
    http_status: int | None
    failure: str | None
