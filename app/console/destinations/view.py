"""A policy as a user of Manage Destinations sees it, the pending changes, and their preview."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from app.access.principal import Role
from app.access.store import load_workspace, required
from app.db.rows import AnyRow
from app.destinations.api.document import PolicyReader
from app.destinations.changes import Adjust, Adjustment, unacknowledged
from app.destinations.geo_permissions.permissions import GeoPermissions, load_geo_permissions
from app.destinations.manage import Changed, ChangeRequest, ManageDestinations, PolicyChange
from app.destinations.policy.evaluate import Access, Rule
from app.destinations.policy.state import country_allowances
from app.destinations.storage.policies import EffectivePolicy, load_effective, state_of_revision
from app.kernel.countries import COUNTRIES, country_name, has_numbers, hints_for, is_country
from app.kernel.errors import NotFound, ValidationFailed
from app.kernel.phone import CALLING_CODES
from app.kernel.whole_numbers import read_whole_number
from app.providers.port import GeoFacts
from app.users.current_user import CurrentUser, WorkspaceAccess
from app.web.registry import current_time, get_service

# The durations of a temporary allowance: hours and label.
DURATIONS: Mapping[int, str] = {
    1: "1 hour",
    4: "4 hours",
    24: "1 day",
    72: "3 days",
    168: "7 days",
    720: "30 days",
}
_TEMPORARY = re.compile(r"([A-Z]{2})\.([0-9]{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class PendingChanges:
    revision: int
    allow: tuple[str, ...] = ()
    hours: Mapping[str, int] = field(default_factory=dict)
    block: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.allow or self.hours or self.block)

    @property
    def text(self) -> str:
        hours = ",".join(f"{code}.{self.hours[code]}" for code in sorted(self.hours))
        allow, block = ",".join(sorted(self.allow)), ",".join(sorted(self.block))
        return f"{self.revision};{allow};{hours};{block}"

    @property
    def opened(self) -> tuple[str, ...]:
        return (*self.allow, *self.hours)

    @property
    def countries(self) -> set[str]:
        return {*self.opened, *self.block}

    def adjustment(self, now: datetime) -> Adjustment:
        """Hours count from now."""
        until = {code: now + timedelta(hours=hours) for code, hours in self.hours.items()}
        return Adjustment(self.allow, until, self.block)

    def without(self, code: str) -> "PendingChanges":
        return replace(
            self,
            allow=tuple(one for one in self.allow if one != code),
            hours={one: hours for one, hours in self.hours.items() if one != code},
            block=tuple(one for one in self.block if one != code),
        )

    def allowing(self, code: str, hours: int | None) -> "PendingChanges":
        others = self.without(code)
        if hours is None:
            return replace(others, allow=(*others.allow, code))
        return replace(others, hours={**others.hours, code: hours})

    def blocking(self, code: str) -> "PendingChanges":
        others = self.without(code)
        return replace(others, block=(*others.block, code))

    def seen_from(
        self, revision: int, allowed: Mapping[str, datetime | None], listed: Collection[str]
    ) -> "PendingChanges":
        """Rebase on a revision; drop the changes that it contains."""
        for_good = {code for code, until in allowed.items() if until is None}
        return PendingChanges(
            revision,
            tuple(code for code in self.allow if code not in for_good),
            {code: hours for code, hours in self.hours.items() if code not in for_good},
            tuple(code for code in self.block if code in listed),
        )


def read_pending_changes(form: MultiDict[str, str]) -> PendingChanges:
    """Invalid ones are ignored."""
    pending_changes = PendingChanges(read_whole_number(form.get("revision", "")) or 0)
    for code in filter(is_country, form.getlist("allow")):
        pending_changes = pending_changes.allowing(code, None)
    for text in form.getlist("temporary"):
        found = _TEMPORARY.fullmatch(text)
        if found and is_country(found[1]) and int(found[2]) in DURATIONS:
            pending_changes = pending_changes.allowing(found[1], int(found[2]))
    for code in filter(is_country, form.getlist("block")):
        pending_changes = pending_changes.blocking(code)
    return pending_changes


@cache
def country_options() -> tuple[tuple[str, str], ...]:
    named = {code: country_name(code) for code in COUNTRIES}
    calling = {code: f", +{CALLING_CODES[code]}" for code in COUNTRIES if code in CALLING_CODES}
    return tuple(
        (code, f"{named[code]} ({code}{calling.get(code, '')})")
        for code in sorted(COUNTRIES, key=lambda code: sort_key(named[code]))
    )


def sort_key(name: str) -> str:
    """Ignores accents and case."""
    plain = unicodedata.normalize("NFKD", name)
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold()


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
    workspace = required(load_workspace(connection, workspace_id))
    effective = load_effective(connection, workspace_id)
    now = current_time()
    allowances = country_allowances(effective.state, now)
    mapped = {c for c, access in effective.state.destinations.items() if access == Access.ALLOWED}
    return DestinationsView(
        current_user=current_user,
        workspace=workspace,
        effective=effective,
        geo_permissions=load_geo_permissions(connection, workspace_id, get_service(GeoFacts)),
        allowed={
            c: until for c, until in allowances.items() if c not in effective.denied_by_organization
        },
        denied=tuple(by_name(effective.denied_by_organization & allowances.keys())),
        paused=tuple(by_name(mapped - allowances.keys())),
        now=now,
    )


def by_name(codes: Iterable[str]) -> list[str]:
    return sorted(codes, key=lambda code: sort_key(country_name(code)))


def dry_run_change(connection: Connection, view: DestinationsView, change: PolicyChange) -> Changed:
    asked = ChangeRequest(view.current_user.actor, dry_run=True)
    manage = get_service(ManageDestinations)
    return manage.within(connection, view.effective.workspace_id, change, asked)


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview of saving; ``problems`` are by country and prevent it."""

    changed: list[str]
    impact: dict[str, Any] | None = None
    hints: Mapping[str, list[str]] = field(default_factory=dict)
    risky: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    without_numbers: tuple[str, ...] = ()
    blocks_home: bool = False
    problems: Mapping[str, list[str]] = field(default_factory=dict)


def preview_changes(
    connection: Connection, view: DestinationsView, pending_changes: PendingChanges
) -> Preview:
    wanted = pending_changes.adjustment(view.now)
    opened = by_name(set(wanted.opened))
    changed = by_name(pending_changes.countries)
    try:
        dry_run = dry_run_change(connection, view, Adjust(wanted, None))
    except ValidationFailed as problem:
        return Preview(changed, problems=problems_by_country(problem))
    risky = unacknowledged(connection, view.effective, opened, (), always=True)
    return Preview(
        changed=changed,
        impact=dry_run.impact,
        hints=_hints(opened, view),
        risky=tuple(code for code in opened if code in risky),
        closed=tuple(code for code in opened if view.geo_permissions.is_closed(code)),
        blocks_home=view.workspace.home_country in pending_changes.block,
        without_numbers=tuple(code for code in opened if not has_numbers(code)),
    )


def problems_by_country(problem: ValidationFailed) -> dict[str, list[str]]:
    details = problem.details or {}
    return {path.rpartition(".")[2]: texts for path, texts in details.items()}


def _hints(opened: list[str], view: DestinationsView) -> dict[str, list[str]]:
    """Return the territories that stay blocked, by country."""
    found = {
        code: by_name(set(separate) - view.allowed.keys())
        for code, separate in hints_for(opened).items()
    }
    return {code: separate for code, separate in found.items() if separate}
