"""The ports to an SMS provider. No vendor is named here.

An outcome states the knowledge about one attempt to create a message.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.access.provider_account import ProviderAccount
from app.kernel.phone import PhoneNumber


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to create; its id travels in the callback URL."""

    message_id: UUID
    account: ProviderAccount
    messaging_service_sid: str
    to_number: PhoneNumber
    body: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the message; ``has_ended``: it failed at once, without a code."""

    message_sid: str
    from_number: str | None
    has_ended: bool = False


class RefusalKind(StrEnum):
    """The meaning of a definite refusal; named as the public code."""

    INVALID_DESTINATION = "InvalidDestination"
    DESTINATION_BLOCKED = "DestinationBlocked"
    RECIPIENT_OPTED_OUT = "RecipientOptedOut"
    NO_SENDER_NUMBER = "NoSenderNumber"
    MESSAGE_REJECTED = "MessageRejected"
    PROVIDER_MISCONFIGURED = "ProviderMisconfigured"


@dataclass(frozen=True, slots=True)
class Refused:
    """The message will not be sent; the provider's code, and its SID, if it gave one."""

    kind: RefusalKind
    provider_code: int | None
    message_sid: str | None = None


@dataclass(frozen=True, slots=True)
class NeverProcessed:
    """The provider was not reached, or turned the call away unread: safe to try again."""

    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The provider may or may not have the message; ``why`` is for the log."""

    why: str


Outcome = Accepted | Refused | NeverProcessed | Unconfirmed


class SmsProvider(Protocol):
    """Creates messages at a provider."""

    def create(self, outbound: Outbound) -> Outcome:
        """Try once to create a message; every failure is an outcome, not an exception."""
