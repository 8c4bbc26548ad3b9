"""The ports to a provider: all that the gateway asks of one. No feature imports an adapter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.kernel.phone import PhoneNumber


class Status(StrEnum):
    """The statuses of a message, for every provider; the last three are terminal."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    @property
    def is_terminal(self) -> bool:
        return self.rank == _TERMINAL


_TERMINAL = 2
_RANKS = {
    Status.PENDING: 0,
    Status.SENT: 1,
    Status.DELIVERED: _TERMINAL,
    Status.UNDELIVERED: _TERMINAL,
    Status.FAILED: _TERMINAL,
}


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


@dataclass(frozen=True, slots=True)
class ErrorCodes:
    """What people may read about a provider's error codes.

    ``meanings`` are sentences; ``page`` is the address of the page about a code, with ``{code}``.
    ``opted_out`` is the code of a message to a recipient who replied STOP.
    """

    meanings: Mapping[int, str]
    page: str
    opted_out: int

    def page_about(self, code: int) -> str:
        return self.page.format(code=code)


class SmsProvider(Protocol):
    """Creates messages at a provider."""

    def create(self, outbound: Outbound) -> Outcome:
        """Try once to create a message; every failure is an outcome, not an exception."""


class ProviderUnknown(Exception):
    """The provider could not be asked; the text says why and holds neither number nor secret."""

    is_misconfigured = False


class AccountRefused(ProviderUnknown):
    """The account or its token is wrong until an owner acts; ``code`` is the provider's own."""

    is_misconfigured = True

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class ProviderMessage:
    """A message as the provider has it; ``provider_status`` is its own word.

    ``added_prefix`` is what the provider put in front of the text, as it does for trial accounts.
    """

    message_sid: str
    messaging_service_sid: str | None
    to_number: str
    body: str
    status: Status
    provider_status: str
    created_at: datetime | None
    error_code: int | None = None
    meaning: RefusalKind | None = None
    from_number: str | None = None
    num_segments: int | None = None
    price: str | None = None
    price_unit: str | None = None
    added_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The provider's messages to a number; not complete where it has more than were read."""

    messages: list[ProviderMessage]
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Charge:
    """The provider's own words."""

    message_sid: str
    price: str
    price_unit: str


class MessageSource(Protocol):
    """Reads the messages of an account; raises `ProviderUnknown`."""

    def fetch(self, account: ProviderAccount, message_sid: str) -> ProviderMessage | None:
        """Fetch one message; None if there is none."""

    def list_to(self, account: ProviderAccount, to_number: str, since: datetime) -> Listing:
        """List the messages to a number that are not older."""

    def list_charges(
        self, account: ProviderAccount, since: datetime, until: datetime
    ) -> Iterator[Sequence[Charge]]:
        """Yield pages of the messages sent in a period that have a price."""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a provider reports of one message, as verified; ``provider_status`` is its own word.

    An unknown status is `pending`; ``meaning`` is None without an error code. ``is_signed``: the
    provider's signature covers ``message_id``, so the report outweighs what the worker concluded.
    """

    account_sid: str
    message_sid: str
    message_id: UUID | None
    status: Status
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


class TokenSource(Protocol):
    """The tokens of an account, current and next, as known lately or read again; () if unknown.

    Both raise `ServiceUnavailable` if the tokens cannot be read.
    """

    def kept(self, account_sid: str) -> tuple[str, ...]: ...
    def fresh(self, account_sid: str) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What an adapter's callback routes need of the gateway.

    ``report`` gets what a verified callback says, None if it is about no message. It and
    ``consent`` raise `ServiceUnavailable` if nothing could be stored.
    """

    public_url: str
    tokens: TokenSource
    report: Callable[[DeliveryReport | None], None]
    consent: Callable[[Consent], None]


@dataclass(frozen=True, slots=True)
class GeoPermission:
    """One entry of the provider's list; a code may have several, and be no country here."""

    country: str
    is_open: bool
    is_high_risk: bool = False
    prefix: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class WantedPermission:
    country: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """The result of one requested permission; ``problem`` is None if it was applied."""

    wanted: WantedPermission
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class GeoFacts:
    """What holds for every account.

    ``unsupported`` countries are refused whatever is permitted. ``covered_by`` has the entries that
    apply to a country without one, ``error_code`` is that of a message to a closed country, and
    ``page`` is where people change permissions at the provider.
    """

    unsupported: frozenset[str] = frozenset()
    covered_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    error_code: int | None = None
    page: str = ""


class GeoPermissionSource(Protocol):
    """Reads and changes the geo permissions of an account; raises `ProviderUnknown`."""

    facts: GeoFacts

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        """Return every entry of an account."""

    def update(
        self, account: ProviderAccount, wanted: Sequence[WantedPermission]
    ) -> list[ItemOutcome]:
        """Request changes and return the result of each, in order."""


class RegistrationSource(Protocol):
    """Reads the states of registrations; raises `ProviderUnknown`."""

    def brand_status(self, account: ProviderAccount, brand_sid: str) -> str:
        """Return a brand's status in the words of the API."""

    def campaign_status(
        self, account: ProviderAccount, messaging_service_sid: str, campaign_sid: str
    ) -> str:
        """Return a campaign's status in the words of the API."""


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
    """Reads current prices; raises `ProviderUnknown`."""

    def fetch(self, account: ProviderAccount, country: str) -> CountryPrices | None:
        """Fetch the prices to a country; None if there are none."""


class TokenProver(Protocol):
    """Says whether an auth token is that of an account."""

    def accepts(self, account_sid: str, auth_token: str) -> bool:
        """Say whether the provider accepts the token; raises `ProviderUnavailable`."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """Whether an account may send; ``status`` is the provider's word for it."""

    status: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class ServiceSetup:
    """A Messaging Service; ``inbound_url`` is None if it is not set or stands on each number."""

    has_senders: bool
    inbound_url: str | None
    is_inbound_on_numbers: bool


class AccountSetup(Protocol):
    """Reads whether an account is set up as the gateway needs it; raises `ProviderUnknown`."""

    @property
    def inbound_url(self) -> str:
        """The address that the provider must call for what recipients write."""

    def account_state(self, account: ProviderAccount) -> AccountState | None:
        """Return the state of an account; None if the provider refuses its credentials."""

    def service(self, account: ProviderAccount, service_sid: str) -> ServiceSetup | None:
        """Return a Messaging Service; None if the account has none with this SID."""

    def probe_callback(self, account: ProviderAccount) -> int:
        """Post a signed callback about no message to our public URL; return the HTTP status."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider: an adapter for each port."""

    codes: ErrorCodes
    sms: SmsProvider
    messages: MessageSource
    geo: GeoPermissionSource
    registrations: RegistrationSource
    prices: PriceSource
    prover: TokenProver
    setup: AccountSetup
