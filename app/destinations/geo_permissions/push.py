"""Aligns the provider's geo permissions: open if one workspace of the account allows it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from app.destinations.geo_permissions.check import Checked, CheckProvider
from app.destinations.geo_permissions.permissions import GeoPermissions
from app.providers.port import ItemOutcome, ProviderUnknown, WantedPermission


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
