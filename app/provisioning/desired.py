"""What a file asks for, as frozen values; None always means that the file leaves it out.

An empty text takes away what stands there: a parent, an account, a brand, a campaign, a token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.access.key_limits import Network, Rate
from app.access.principal import Role
from app.use_cases.eligibility import SenderType
from app.use_cases.unconfirmed import OnUnconfirmed

ANY_DESTINATION = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredKey:
    """An access key that should be live; an empty list takes a limit away."""

    place: str
    name: str
    role: Role
    expires_at: datetime | None = None
    rate: Rate | None = None
    use_cases: tuple[str, ...] | None = None
    countries: tuple[str, ...] | None = None
    source_networks: tuple[Network, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredAccount:
    """A provider account; the tokens are already read from the environment."""

    place: str
    account_sid: str
    auth_token: str | None = field(default=None, repr=False)
    next_auth_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredSender:
    """One sender of a pool."""

    place: str
    number: str
    type: SenderType


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredRegistration:
    """A brand or a campaign; the status is in Twilio's words."""

    place: str
    sid: str
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredUseCase:
    """A use case; `allowed_destinations` may be `ANY_DESTINATION`, which lifts the restriction."""

    place: str
    id: UUID | None = None
    name: str | None = None
    messaging_service_sid: str | None = None
    active: bool | None = None
    deleted: bool | None = None
    senders: tuple[DesiredSender, ...] | None = None
    brand: DesiredRegistration | None = None
    campaign: DesiredRegistration | None = None
    allowed_destinations: tuple[str, ...] | str | None = None
    on_unconfirmed: OnUnconfirmed | None = None
    guards: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredWorkspace:
    """A workspace; `parent` is a name or an id."""

    place: str
    id: UUID | None = None
    name: str | None = None
    home_country: str | None = None
    parent: str | None = None
    twilio: DesiredAccount | None = None
    destinations: Mapping[str, str] | None = None
    acknowledge_high_risk: bool | None = None
    body_retention_days: int | None = None
    number_retention_days: int | None = None
    guards: object = None
    access_keys: tuple[DesiredKey, ...] = ()
    use_cases: tuple[DesiredUseCase, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredOrganization:
    """The organization that everything in the file belongs to."""

    place: str
    id: UUID | None = None
    name: str | None = None
    denied_destinations: tuple[str, ...] | None = None
    access_keys: tuple[DesiredKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The whole file."""

    organization: DesiredOrganization
    workspaces: tuple[DesiredWorkspace, ...] = ()
