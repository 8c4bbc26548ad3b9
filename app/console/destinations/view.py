"""The view model of Manage Destinations."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

import phonenumbers
from sqlalchemy import Connection

from app.access.principal import Role
from app.access.store import load_workspace
from app.db.rows import AnyRow
from app.destinations.geo_permissions.permissions import GeoPermissions, load_geo_permissions
from app.destinations.policy.evaluate import Access, Rule
from app.destinations.policy.state import country_allowances
from app.destinations.storage.policies import EffectivePolicy, load_effective, state_of_revision
from app.destinations.storage.visible_rules import PolicyReader
from app.kernel.clock import Clock
from app.kernel.countries import COUNTRIES, country_name
from app.kernel.errors import NotFound
from app.providers.port import GeoFacts
from app.users.current_user import CurrentUser, WorkspaceAccess
from app.web.registry import get_service


@cache
def country_options() -> tuple[tuple[str, str], ...]:
    named = {code: country_name(code) for code in COUNTRIES}
    return tuple(
        (code, f"{named[code]} ({', '.join([code, *_calling_code(code)])})")
        for code in sorted(COUNTRIES, key=lambda code: sort_key(named[code]))
    )


def sort_key(name: str) -> str:
    """Return a sort key without accents and case."""
    plain = unicodedata.normalize("NFKD", name)
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold()


def _calling_code(code: str) -> list[str]:
    found = phonenumbers.country_code_for_region(code)
    return [f"+{found}"] if found else []


@dataclass(frozen=True, slots=True)
class DestinationsView:
    """The policy as one user sees it.

    ``allowed`` maps countries to their end, None if permanent; ``denied`` and ``paused`` are
    allowed here, but denied by the organization or blocked by a rule.
    """

    current_user: CurrentUser
    workspace: AnyRow
    effective: EffectivePolicy
    geo_permissions: GeoPermissions
    allowed: Mapping[str, datetime | None]
    denied: tuple[str, ...]
    paused: tuple[str, ...]
    now: datetime

    @property
    def listed(self) -> tuple[str, ...]:
        """The countries that can be removed."""
        return (*self.allowed, *self.denied, *self.paused)

    @property
    def may_change(self) -> bool:
        return self.current_user.permits(Role.ADMIN) and not self.effective.inherits

    @property
    def reader(self) -> PolicyReader:
        reach = self.current_user.reach
        return PolicyReader(self.current_user.role, lambda one: reach.role_in(one) is not None)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.reader.rules(self.effective.state.rules, self.effective.owner_id)

    def rules_after(self, revision: AnyRow) -> tuple[Rule, ...]:
        return self.reader.rules(state_of_revision(revision).rules, revision.workspace_id)

    @property
    def owner(self) -> WorkspaceAccess | None:
        """None if it is not visible to the user."""
        return self._place(self.effective.owner_id)

    @property
    def parent(self) -> WorkspaceAccess | None:
        """None if it is not visible to the user."""
        return self._place(self.effective.parent_id)

    def access(self, code: str) -> str:
        if code in self.effective.denied_by_organization:
            return "blocked by organization"
        if code in self.allowed:
            return "allowed"
        return "blocked by a rule" if code in self.paused else "blocked"

    @property
    def closed(self) -> list[str]:
        """The countries that are closed at the provider."""
        return [code for code in sorted(COUNTRIES) if self.geo_permissions.is_closed(code)]

    @property
    def risky(self) -> list[str]:
        return [code for code in sorted(COUNTRIES) if self.geo_permissions.is_high_risk(code)]

    def _place(self, workspace_id: UUID | None) -> WorkspaceAccess | None:
        places = self.current_user.workspaces
        return next((one for one in places if one.workspace_id == workspace_id), None)


def shown_workspace(current_user: CurrentUser) -> UUID:
    """Raises `NotFound` if there is no workspace yet."""
    if current_user.workspace_access is None:
        raise NotFound(
            "There is no workspace yet. An owner can create one under Settings, Workspaces."
        )
    return current_user.workspace_access.workspace_id


def load_destinations_view(connection: Connection, current_user: CurrentUser) -> DestinationsView:
    workspace_id = shown_workspace(current_user)
    workspace = load_workspace(connection, workspace_id)
    if workspace is None:
        raise NotFound
    effective = load_effective(connection, workspace_id)
    now = get_service(Clock).now()
    allowances = country_allowances(effective.state, now)
    mapped = {c for c, access in effective.state.destinations.items() if access == Access.ALLOWED}
    facts = get_service(GeoFacts)
    return DestinationsView(
        current_user=current_user,
        workspace=workspace,
        effective=effective,
        geo_permissions=load_geo_permissions(connection, workspace_id, facts),
        allowed={
            c: until for c, until in allowances.items() if c not in effective.denied_by_organization
        },
        denied=tuple(by_name(effective.denied_by_organization & allowances.keys())),
        paused=tuple(by_name(mapped - allowances.keys())),
        now=now,
    )


def by_name(codes: set[str] | frozenset[str]) -> list[str]:
    return sorted(codes, key=lambda code: sort_key(country_name(code)))
