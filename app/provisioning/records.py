"""Records of the current and the desired state, with equal types, so that they can be compared.

Fields are named as the columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from app.access.key_limits import DEFAULT_RATE
from app.access.workspace_rules import BODY_RETENTION_DAYS, NUMBER_RETENTION_DAYS
from app.destinations.policy.state import PolicyState
from app.guards.limits import GuardConfiguration
from app.guards.manage import GuardEdit
from app.use_cases.unconfirmed import OnUnconfirmed

R = TypeVar("R")

UNREADABLE = ""  # a token that is stored and that none of our keys opens


@dataclass(frozen=True, slots=True)
class OrganizationRecord:
    """An organization."""

    id: UUID
    name: str
    denied_destinations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """A provider account with its tokens opened."""

    sid: str
    organization_id: UUID
    auth_token: str = field(default=UNREADABLE, repr=False)
    next_auth_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WorkspaceRecord:
    """A workspace."""

    id: UUID
    organization_id: UUID
    name: str
    home_country: str
    parent_id: UUID | None = None
    inherits_destinations: bool = False
    account_sid: str | None = None
    acknowledges_high_risk: bool = False
    body_retention_days: int = BODY_RETENTION_DAYS
    number_retention_days: int = NUMBER_RETENTION_DAYS


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """The effective policy of a workspace, own or inherited, without expired rules."""

    workspace_id: UUID
    state: PolicyState


@dataclass(frozen=True, slots=True)
class UseCaseRecord:
    """A use case."""

    id: UUID
    workspace_id: UUID
    name: str
    messaging_service_sid: str
    active: bool = True
    brand_sid: str | None = None
    brand_status: str | None = None
    campaign_sid: str | None = None
    campaign_status: str | None = None
    allowed_destinations: tuple[str, ...] | None = None
    on_unconfirmed: str = OnUnconfirmed.WAIT.value
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SenderRecord:
    """One sender of a use case's pool."""

    id: UUID
    use_case_id: UUID
    number: str
    type: str
    country: str | None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A live access key; `id` is None for one that is still to be made."""

    id: UUID | None
    organization_id: UUID
    workspace_id: UUID | None
    name: str
    role: str
    expires_at: datetime | None = None
    rate_per_second: int = DEFAULT_RATE.per_second
    rate_burst: int = DEFAULT_RATE.burst
    limits: str | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """The current state; accounts, policies, guards and keys as `load_current` limits them."""

    organizations: Mapping[UUID, OrganizationRecord] = field(default_factory=dict)
    accounts: Mapping[str, AccountRecord] = field(default_factory=dict)
    workspaces: Mapping[UUID, WorkspaceRecord] = field(default_factory=dict)
    policies: Mapping[UUID, PolicyRecord] = field(default_factory=dict)
    use_cases: Mapping[UUID, UseCaseRecord] = field(default_factory=dict)
    senders: tuple[SenderRecord, ...] = ()
    keys: tuple[KeyRecord, ...] = ()
    guards: Mapping[UUID, GuardConfiguration] = field(default_factory=dict)
    has_prices: bool = False


@dataclass(frozen=True, slots=True)
class Step(Generic[R]):
    """The change of one object; without ``before`` it is created."""

    place: str
    before: R | None
    after: R
    is_removal: bool = False


@dataclass(frozen=True, slots=True)
class GuardsStep:
    """The change of the guards of a workspace; the places are those of what the file gives.

    ``edit`` makes the change again from the guards as they are when it is written.
    """

    workspace_id: UUID
    place: str
    use_case_places: Mapping[UUID, str]
    before: GuardConfiguration
    after: GuardConfiguration
    edit: GuardEdit


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps for every object of the file, in the file's order."""

    organization: Step[OrganizationRecord]
    accounts: tuple[Step[AccountRecord], ...] = ()
    workspaces: tuple[Step[WorkspaceRecord], ...] = ()
    policies: tuple[Step[PolicyRecord], ...] = ()
    use_cases: tuple[Step[UseCaseRecord], ...] = ()
    senders: tuple[Step[SenderRecord], ...] = ()
    keys: tuple[Step[KeyRecord], ...] = ()
    guards: tuple[GuardsStep, ...] = ()
    workspace_names: Mapping[UUID, str] = field(default_factory=dict)


def changed_fields(before: Any, after: Any) -> dict[str, Any]:
    """Return the fields in which two records of a kind differ, with the values of the second."""
    return {
        field.name: getattr(after, field.name)
        for field in fields(after)
        if getattr(before, field.name) != getattr(after, field.name)
    }
