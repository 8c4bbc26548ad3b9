"""The ports to a provider: everything that the gateway asks of one, with its values and errors.

No vendor is named here, and no feature imports an adapter.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.kernel.phone import PhoneNumber


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """An account at the provider with its secret, encrypted as in the database."""

    sid: str
    encrypted_auth_token: str


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


class ProviderUnknown(Exception):
    """The provider could not be asked; the text says why and holds no number."""


class AccountRefused(ProviderUnknown):
    """The provider refuses the account's credentials; ``code`` is the provider's own."""

    def __init__(self, why: str, code: int | None) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class ProviderMessage:
    """A message as the provider has it."""

    message_sid: str
    messaging_service_sid: str | None
    to_number: str
    body: str
    status: str
    created_at: datetime | None
    error_code: int | None = None
    meaning: RefusalKind | None = None
    from_number: str | None = None
    num_segments: int | None = None
    price: str | None = None
    price_unit: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The provider's messages to a number; not complete where it has more than were read."""

    messages: list[ProviderMessage]
    is_complete: bool = True


class MessageSource(Protocol):
    """A provider that can be asked about messages."""

    def fetch(self, account: ProviderAccount, message_sid: str) -> ProviderMessage | None:
        """Fetch one message; None if there is none; raises `ProviderUnknown`."""

    def list_to(self, account: ProviderAccount, to_number: str, since: datetime) -> Listing:
        """List the messages to a number that are not older; raises `ProviderUnknown`."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What one message cost, as the provider writes it."""

    message_sid: str
    price: str
    price_unit: str


class ChargeSource(Protocol):
    """A provider that lists what an account sent."""

    def list_charges(
        self, account: ProviderAccount, since: datetime, until: datetime
    ) -> Iterator[Sequence[Charge]]:
        """Yield pages of the messages sent in a period that have a price.

        Raises:
            ProviderUnknown: the provider could not be asked.
        """


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a provider reports of one message, as verified; words are the provider's own.

    ``meaning`` is what the adapter knows of the error code. ``is_signed``: the provider's signature
    covers ``message_id``, so the report outweighs whatever the worker concluded.
    """

    account_sid: str
    message_sid: str
    message_id: UUID | None
    provider_status: str
    error_code: int | None = None
    from_number: str | None = None
    num_segments: int | None = None
    meaning: RefusalKind | None = None
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """A recipient's decision, sent to a sender of a provider account."""

    account_sid: str
    messaging_service_sid: str | None
    sender: str | None
    recipient: PhoneNumber
    wants_messages: bool
    message_sid: str | None = None


class HandledReport(Protocol):
    """The message that a report was about, and whether the report changed it."""

    @property
    def message_id(self) -> UUID:
        """Our id of the message."""

    @property
    def applied(self) -> bool:
        """Whether the status changed."""

    @property
    def reason(self) -> str | None:
        """Why it did not change."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """The operations that an adapter calls with what the provider reports by itself.

    ``report`` returns None if no message fits; both raise `ServiceUnavailable` if nothing could be
    stored. ``consent`` returns how many opt-out lists changed.
    """

    report: Callable[[DeliveryReport], HandledReport | None]
    consent: Callable[[Consent], int]


class GeoUnknown(Exception):
    """The provider could not be asked; the text says why and holds no secret.

    If ``is_misconfigured``, the account or its token is wrong and the owner must act.
    """

    def __init__(self, why: str, *, is_misconfigured: bool = False) -> None:
        self.is_misconfigured = is_misconfigured
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class GeoPermission:
    """One entry of the provider's list; ``prefix`` and ``message`` are the provider's text.

    A code may have several entries, and may be no country here.
    """

    country: str
    is_open: bool
    is_high_risk: bool = False
    prefix: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class WantedPermission:
    """A country to open or to close at the provider."""

    country: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """The result of one requested permission; ``problem`` is None if it was applied."""

    wanted: WantedPermission
    problem: str | None = None


class GeoPermissionSource(Protocol):
    """Reads and changes the geo permissions of an account."""

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        """Return every entry of an account, or raise `GeoUnknown`."""

    def update(
        self, account: ProviderAccount, wanted: Sequence[WantedPermission]
    ) -> list[ItemOutcome]:
        """Request changes and return the result of each, in order, or raise `GeoUnknown`."""


class RegistrationsUnknown(Exception):
    """The provider could not be asked; the text says why and holds no secret."""


class RegistrationSource(Protocol):
    """Reads the states of registrations."""

    def brand_status(self, account: ProviderAccount, brand_sid: str) -> str:
        """Return a brand's status, or raise `RegistrationsUnknown`."""

    def campaign_status(
        self, account: ProviderAccount, messaging_service_sid: str, campaign_sid: str
    ) -> str:
        """Return a campaign's status, or raise `RegistrationsUnknown`."""


class PricesUnknown(Exception):
    """The provider could not be asked for prices; the text says why."""


@dataclass(frozen=True, slots=True)
class NetworkPrice:
    """The highest current price of one segment to a network; '' is a network without a code."""

    mccmnc: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class CountryPrices:
    """The current prices to one country, in one currency."""

    currency: str
    networks: Sequence[NetworkPrice]


class PriceSource(Protocol):
    """A provider that can be asked for prices."""

    def fetch(self, account: ProviderAccount, country: str) -> CountryPrices | None:
        """Fetch the prices to a country; None if there are none; raises `PricesUnknown`."""


class TokenProver(Protocol):
    """A provider that can say whether an auth token is that of an account."""

    def accepts(self, account_sid: str, auth_token: str) -> bool:
        """Say whether the provider accepts the token; raises `ProviderUnavailable`."""


class SetupUnknown(Exception):
    """The provider could not be asked; the text says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class ServiceSetup:
    """A Messaging Service; ``inbound_url`` is None if it is not set or stands on each number."""

    has_senders: bool
    inbound_url: str | None
    is_inbound_on_numbers: bool
