"""The ports to a provider. No feature imports an adapter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.kernel.phone import PhoneNumber


class Status(StrEnum):
    """The last three are terminal."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"

    @property
    def rank(self) -> int:
        return _RANKS.get(self, _TERMINAL)

    @property
    def is_terminal(self) -> bool:
        return self.rank == _TERMINAL


_TERMINAL = 2
_RANKS = {Status.PENDING: 0, Status.SENT: 1}


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    sid: str
    encrypted_auth_token: str


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to create; its id is part of the callback URL."""

    message_id: UUID
    account: ProviderAccount
    messaging_service_sid: str
    to_number: PhoneNumber
    body: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """``has_ended``: it failed immediately, without a code."""

    message_sid: str
    from_number: str | None
    has_ended: bool = False


class RefusalKind(StrEnum):
    """The names are the public codes."""

    INVALID_DESTINATION = "InvalidDestination"
    DESTINATION_BLOCKED = "DestinationBlocked"
    RECIPIENT_OPTED_OUT = "RecipientOptedOut"
    NO_SENDER_NUMBER = "NoSenderNumber"
    MESSAGE_REJECTED = "MessageRejected"
    PROVIDER_MISCONFIGURED = "ProviderMisconfigured"


@dataclass(frozen=True, slots=True)
class Refused:
    kind: RefusalKind
    provider_code: int | None
    message_sid: str | None = None


@dataclass(frozen=True, slots=True)
class NeverProcessed:
    """The provider did not read the call: safe to try again."""

    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The provider may or may not have the message; ``why`` is for the log."""

    why: str


Outcome = Accepted | Refused | NeverProcessed | Unconfirmed


@dataclass(frozen=True, slots=True)
class ErrorCodes:
    """Explanations of a provider's error codes.

    ``meanings`` are sentences; ``page`` is the URL of a code's page, with ``{code}``;
    ``opted_out`` is the code for a recipient who replied STOP.
    """

    meanings: Mapping[int, str]
    page: str
    opted_out: int

    def page_about(self, code: int) -> str:
        return self.page.format(code=code)


class SmsProvider(Protocol):
    def create(self, outbound: Outbound) -> Outcome:
        """Every failure is an outcome, not an exception."""


class ProviderUnknown(Exception):
    """The provider could not be asked; the text has the reason without a number."""

    is_misconfigured = False


class AccountRefused(ProviderUnknown):
    """The provider refuses the account's credentials, with its own ``code``."""

    is_misconfigured = True

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class ProviderMessage:
    """``provider_status`` is the provider's word; ``added_prefix`` is its own text before ours."""

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
    """Incomplete if there are more than were read."""

    messages: list[ProviderMessage]
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Charge:
    """In the provider's words."""

    message_sid: str
    price: str
    price_unit: str


class MessageSource(Protocol):
    """Reads the messages of an account; raises `ProviderUnknown`."""

    def fetch(self, account: ProviderAccount, message_sid: str) -> ProviderMessage | None:
        """None if there is none."""

    def list_to(self, account: ProviderAccount, to_number: str, since: datetime) -> Listing:
        """Raises `ProviderUnknown`."""

    def list_charges(
        self, account: ProviderAccount, since: datetime, until: datetime
    ) -> Iterator[Sequence[Charge]]:
        """Yield pages of the messages sent in a period that have a price."""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A verified report about one message, with the provider's own words.

    ``meaning`` is that of the error code. ``is_signed``: the signature covers ``message_id``.
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
    account_sid: str
    messaging_service_sid: str | None
    sender: str | None
    recipient: PhoneNumber
    wants_messages: bool
    message_sid: str | None = None


class TokenSource(Protocol):
    """The current and the next token of an account; () for an unknown one.

    Those of ``kept`` may be half a minute old. Both raise `ServiceUnavailable` if the tokens
    cannot be read.
    """

    def kept(self, account_sid: str) -> tuple[str, ...]: ...
    def fresh(self, account_sid: str) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The gateway, for an adapter's callback routes.

    ``report`` gets a verified report, or None if it is about no message. It and ``consent``
    raise `ServiceUnavailable` if nothing could be stored.
    """

    public_url: str
    tokens: TokenSource
    report: Callable[[DeliveryReport | None], None]
    consent: Callable[[Consent], None]


@dataclass(frozen=True, slots=True)
class GeoPermission:
    """One entry of the provider's list; a code may have several, or be unknown here."""

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
    """Facts for all accounts.

    ``unsupported`` countries are always refused. ``covered_by`` has the entries that apply to a
    country without one, ``error_code`` is that of a message to a closed country, ``page`` is
    where people change permissions.
    """

    unsupported: frozenset[str] = frozenset()
    covered_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    error_code: int | None = None
    page: str = ""


class GeoPermissionSource(Protocol):
    facts: GeoFacts

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        """Raises `ProviderUnknown`."""

    def update(
        self, account: ProviderAccount, wanted: Sequence[WantedPermission]
    ) -> list[ItemOutcome]:
        """Return the results in order; raises `ProviderUnknown`."""


class RegistrationSource(Protocol):
    def brand_status(self, account: ProviderAccount, brand_sid: str) -> str:
        """Return it in the words of the API; raises `ProviderUnknown`."""

    def campaign_status(
        self, account: ProviderAccount, messaging_service_sid: str, campaign_sid: str
    ) -> str:
        """Return it in the words of the API; raises `ProviderUnknown`."""


@dataclass(frozen=True, slots=True)
class NetworkPrice:
    """The highest price of a segment; '' is a network without a code."""

    mccmnc: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class CountryPrices:
    currency: str
    networks: Sequence[NetworkPrice]


class PriceSource(Protocol):
    def fetch(self, account: ProviderAccount, country: str) -> CountryPrices | None:
        """None without prices; raises `ProviderUnknown`."""


class TokenProver(Protocol):
    def accepts(self, account_sid: str, auth_token: str) -> bool:
        """Raises `ProviderUnavailable`."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """Whether an account may send; ``status`` is the provider's word for it."""

    status: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class ServiceSetup:
    """``inbound_url`` is None if it is not set, or set on each number."""

    has_senders: bool
    inbound_url: str | None
    is_inbound_on_numbers: bool


class AccountSetup(Protocol):
    """Reads whether an account is set up as the gateway needs it; raises `ProviderUnknown`."""

    @property
    def inbound_url(self) -> str:
        """The address for messages of recipients."""

    def account_state(self, account: ProviderAccount) -> AccountState | None:
        """None if the provider refuses the credentials."""

    def service(self, account: ProviderAccount, service_sid: str) -> ServiceSetup | None:
        """None if the account has no Messaging Service with this SID."""

    def probe_callback(self, account: ProviderAccount) -> int:
        """Post a signed callback about no message to our public URL; return the HTTP status."""


@dataclass(frozen=True, slots=True)
class Provider:
    codes: ErrorCodes
    sms: SmsProvider
    messages: MessageSource
    geo: GeoPermissionSource
    registrations: RegistrationSource
    prices: PriceSource
    prover: TokenProver
    setup: AccountSetup
