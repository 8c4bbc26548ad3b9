"""Checking the geo permissions of the provider, and aligning them.

A country is open there if one workspace of the account allows it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.db.engine import Database
from app.db.rows import AnyRow
from app.destinations.geo_permissions.permissions import (
    Comparison,
    GeoPermissions,
    allowed_countries,
    compare_with_provider,
    geo_permissions_from,
    load_geo_permissions,
)
from app.destinations.geo_permissions.store import (
    CheckTarget,
    load_check_targets,
    load_checked_at,
    load_problem,
    record_problem,
    replace_permissions,
)
from app.destinations.storage.policies import EffectivePolicy, load_effective
from app.kernel.clock import Clock, rfc3339
from app.kernel.errors import ProviderMisconfigured, ProviderUnavailable
from app.providers.port import (
    GeoFacts,
    GeoPermissionSource,
    ItemOutcome,
    ProviderAccount,
    ProviderUnknown,
    WantedPermission,
)
from app.webhooks.outbox import EventType, add_event

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PermissionsView:
    """``allowed`` is the current policy's; ``checked_at`` is None before the first check."""

    allowed: frozenset[str]
    geo_permissions: GeoPermissions
    comparison: Comparison
    checked_at: datetime | None
    problem: AnyRow | None

    @property
    def agrees(self) -> bool | None:
        """None while too little is known: before a check only refused countries are."""
        if self.comparison.differs:
            return False
        return None if self.checked_at is None else True

    def as_json(self) -> dict[str, Any]:
        at, problem = self.checked_at, self.problem
        return {
            **self.comparison.as_json(),
            "checked_at": rfc3339(at),
            "agrees": self.agrees,
            "problem": None
            if problem is None
            else {"code": problem.code, "message": problem.message, "at": rfc3339(problem.at)},
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """With a ``problem``, the state is the last known."""

    target: CheckTarget
    effective: EffectivePolicy
    view: PermissionsView
    problem: ProviderUnknown | None = None


def load_permissions_view(
    connection: Connection, effective: EffectivePolicy, facts: GeoFacts, now: datetime
) -> PermissionsView:
    geo_permissions = load_geo_permissions(connection, effective.workspace_id, facts)
    allowed = allowed_countries(effective.policy(), now)
    return PermissionsView(
        allowed=allowed,
        geo_permissions=geo_permissions,
        comparison=compare_with_provider(allowed, geo_permissions),
        checked_at=load_checked_at(connection, effective.workspace_id),
        problem=load_problem(connection, effective.workspace_id),
    )


def error_of(problem: ProviderUnknown) -> type[ProviderMisconfigured | ProviderUnavailable]:
    return ProviderMisconfigured if problem.is_misconfigured else ProviderUnavailable


@dataclass(frozen=True, slots=True)
class CheckProvider:
    database: Database
    source: GeoPermissionSource
    clock: Clock

    def __call__(
        self, workspace_id: UUID | None = None, *, whole_account: bool = False
    ) -> list[Checked]:
        with self.database.reading() as connection:
            target = load_check_targets(connection, workspace_id, whole_account=whole_account)
            before = [self._view(connection, one, None) for one in target]
        accounts = {one.account.sid: one.account for one in target}
        problems = {sid: self._renew(account) for sid, account in accounts.items()}
        self._record(problems)
        with self.database.reading() as connection:
            after = [self._view(connection, one, problems[one.account.sid]) for one in target]
        for old, new in zip(before, after, strict=True):
            self._add_drift_event(old.view, new)
        return after

    def _add_drift_event(self, before: PermissionsView, after: Checked) -> None:
        """Add an event once for each change of the differences."""
        found = after.view.comparison
        if not found.differs or found == before.comparison:
            return
        data = {
            "workspace_id": str(after.effective.workspace_id),
            "allowed_here_closed_there": list(found.allowed_here_closed_there),
            "closed_here_open_there": list(found.closed_here_open_there),
            "checked_at": after.view.as_json()["checked_at"],
        }
        with self.database.writing() as connection:
            workspace_id = after.effective.workspace_id
            add_event(connection, workspace_id, EventType.DESTINATION_DRIFT, data, self.clock.now())

    def _renew(self, account: ProviderAccount) -> ProviderUnknown | None:
        try:
            geo_permissions = geo_permissions_from(self.source.fetch(account), self.source.facts)
        except ProviderUnknown as unknown:
            return unknown
        if not geo_permissions.entries:
            return ProviderUnknown("the answer names no country")
        with self.database.writing() as connection:
            replace_permissions(connection, account.sid, geo_permissions, self.clock.now())
        return None

    def _record(self, problems: Mapping[str, ProviderUnknown | None]) -> None:
        failed = {sid: problem for sid, problem in problems.items() if problem is not None}
        if not failed:
            return
        with self.database.writing() as connection:
            for sid, problem in failed.items():
                code = error_of(problem).__name__
                record_problem(connection, sid, code, str(problem), self.clock.now())

    def _view(
        self, connection: Connection, target: CheckTarget, problem: ProviderUnknown | None
    ) -> Checked:
        effective = load_effective(connection, target.workspace_id)
        view = load_permissions_view(connection, effective, self.source.facts, self.clock.now())
        return Checked(target, effective, view, problem)


def log_checked(checked: Checked) -> None:
    workspace_id = str(checked.target.workspace_id)
    comparison = checked.view.comparison
    if checked.problem is not None:
        _log.warning("geo_permissions_unknown", workspace_id=workspace_id, why=str(checked.problem))
    elif comparison.differs:
        _log.warning(
            "geo_permissions_differ",
            workspace_id=workspace_id,
            allowed_here_closed_there=list(comparison.allowed_here_closed_there),
            closed_here_open_there=list(comparison.closed_here_open_there),
        )
    else:
        _log.info("geo_permissions_agree", workspace_id=workspace_id)


@dataclass(frozen=True, slots=True)
class PushPlan:
    """``console_only`` changes need the provider's console; ``unsupported`` are impossible."""

    changes: tuple[WantedPermission, ...] = ()
    console_only: tuple[WantedPermission, ...] = ()
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pushed:
    """The result of each change of a plan; ``problem``: the account could not be asked."""

    account_sid: str
    workspaces: tuple[str, ...]
    plan: PushPlan
    outcomes: tuple[ItemOutcome, ...] | None = None
    problem: str | None = None

    @property
    def is_done(self) -> bool:
        refused = [one for one in self.outcomes or () if one.problem is not None]
        return self.problem is None and not refused


def plan_push(allowed: Collection[str], geo_permissions: GeoPermissions) -> PushPlan:
    wanted = {geo_permissions.entry_of(country) for country in allowed}
    differing = [
        WantedPermission(entry, entry in wanted)
        for entry, permission in sorted(geo_permissions.entries.items())
        if not geo_permissions.is_unsupported(entry) and permission.is_open != (entry in wanted)
    ]
    risky = {
        entry for entry, permission in geo_permissions.entries.items() if permission.is_high_risk
    }
    return PushPlan(
        changes=tuple(one for one in differing if one.country not in risky),
        console_only=tuple(one for one in differing if one.country in risky),
        unsupported=tuple(sorted(geo_permissions.facts.unsupported & set(allowed))),
    )


@dataclass(frozen=True, slots=True)
class PushToProvider:
    check: CheckProvider

    def __call__(self, workspace_id: UUID | None = None, *, apply: bool = False) -> list[Pushed]:
        """Plan for every account, or one workspace's; ``apply`` makes the changes."""
        accounts = self._ask(workspace_id)
        planned = [_planned(sharing) for sharing in accounts.values()]
        if not apply or not any(one.plan.changes for one in planned):
            return planned
        pushed = [self._push(one, accounts[one.account_sid][0]) for one in planned]
        now_there = self._ask(workspace_id)
        return [_verified(one, now_there.get(one.account_sid, [])) for one in pushed]

    def _ask(self, workspace_id: UUID | None) -> dict[str, list[Checked]]:
        accounts: dict[str, list[Checked]] = {}
        for one in self.check(workspace_id, whole_account=True):
            accounts.setdefault(one.target.account.sid, []).append(one)
        return accounts

    def _push(self, planned: Pushed, first: Checked) -> Pushed:
        if not planned.plan.changes:
            return planned
        try:
            outcomes = self.check.source.update(first.target.account, planned.plan.changes)
        except ProviderUnknown as unknown:
            return replace(planned, problem=f"{unknown}: it may have changed all, some or nothing")
        return replace(planned, outcomes=tuple(outcomes))


def _planned(sharing: list[Checked]) -> Pushed:
    first = sharing[0]
    pushed = Pushed(first.target.account.sid, tuple(one.target.name for one in sharing), PushPlan())
    if first.problem is not None:
        return replace(pushed, problem=str(first.problem))
    allowed = frozenset[str]().union(*(one.view.allowed for one in sharing))
    return replace(pushed, plan=plan_push(allowed, first.view.geo_permissions))


def _verified(pushed: Pushed, now_there: list[Checked]) -> Pushed:
    if pushed.outcomes is None or not now_there or now_there[0].problem is not None:
        return pushed
    entries = now_there[0].view.geo_permissions.entries
    outcomes = [
        replace(one, problem="reported as done, and still listed as it was")
        if one.problem is None
        and one.wanted.country in entries
        and entries[one.wanted.country].is_open != one.wanted.is_open
        else one
        for one in pushed.outcomes
    ]
    return replace(pushed, outcomes=tuple(outcomes))
