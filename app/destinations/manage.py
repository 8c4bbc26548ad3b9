"""Changing a policy: one transaction with revision check, history, audit and event."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Connection

from app.access.audit import AuditedChange
from app.access.principal import Actor
from app.db.engine import Database
from app.destinations.impact import PolicyDiff, TrafficSource, impact
from app.destinations.policy.state import (
    CountryChange,
    FieldProblems,
    PolicyState,
    country_accesses,
    country_changes,
    replace_map,
)
from app.destinations.storage.policies import (
    EffectivePolicy,
    Revision,
    inheriting_workspaces,
    load_effective,
    lock_policy,
    write_state,
)
from app.kernel.clock import Clock
from app.kernel.errors import DestinationsInherited, RevisionMismatch, ValidationFailed
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    actor: Actor
    reason: str | None = None
    if_match: frozenset[int] | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class CurrentPolicy:
    """The policy that a change begins with, in the transaction of the change."""

    connection: Connection
    effective: EffectivePolicy
    now: datetime

    @property
    def state(self) -> PolicyState:
        return replace(self.effective.state, inherits=self.effective.inherits)

    @property
    def denied(self) -> frozenset[str]:
        return self.effective.denied_by_organization


class PolicyChange(ABC):
    while_inheriting: ClassVar[bool] = False

    @property
    @abstractmethod
    def action(self) -> str:
        """The name in the history."""

    @property
    def why(self) -> str | None:
        """The reason if the request gives none."""
        return None

    @property
    def restores(self) -> int | None:
        return None

    def check(self, current: CurrentPolicy) -> FieldProblems:  # noqa: ARG002
        """Return the problems by JSON path."""
        return {}

    @abstractmethod
    def apply(self, current: CurrentPolicy) -> PolicyState:
        """Return the workspace's own policy after the change."""


@dataclass(frozen=True, slots=True)
class Changed:
    """For a dry run, with its impact on past traffic."""

    effective: EffectivePolicy
    changes: tuple[CountryChange, ...]
    impact: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ManageDestinations:
    database: Database
    clock: Clock
    traffic: TrafficSource

    def __call__(self, workspace_id: UUID, change: PolicyChange, request: ChangeRequest) -> Changed:
        """Raises `NotFound`, `RevisionMismatch`, `DestinationsInherited` and `ValidationFailed`."""
        if request.dry_run:
            with self.database.reading() as connection:
                return self.within(connection, workspace_id, change, request)
        with self.database.writing() as connection:
            return self.within(connection, workspace_id, change, request)

    def within(
        self,
        connection: Connection,
        workspace_id: UUID,
        change: PolicyChange,
        request: ChangeRequest,
    ) -> Changed:
        """As `__call__`, in the caller's transaction."""
        now = self.clock.now()
        if not request.dry_run:
            lock_policy(connection, workspace_id)
        before = load_effective(connection, workspace_id)
        current = CurrentPolicy(connection, before, now)
        _check(current, change, request)
        state = change.apply(current)
        after_state = _after(connection, before, state)
        changes = country_changes(
            country_accesses(before.state, now), country_accesses(after_state, now)
        )
        after = replace(before, state=after_state, inherits=state.inherits)
        if request.dry_run:
            diff = PolicyDiff(before.policy(), after.policy(), now)
            touched = inheriting_workspaces(connection, workspace_id)
            return Changed(after, changes, impact(connection, self.traffic, touched, diff))
        if state == current.state:
            return Changed(before, ())
        reason = request.reason or change.why
        revision = Revision(
            change.action, request.actor, reason, changes, now, before.revision, change.restores
        )
        write_state(connection, workspace_id, state, revision)
        return Changed(load_effective(connection, workspace_id), changes)


def _check(current: CurrentPolicy, change: PolicyChange, request: ChangeRequest) -> None:
    before = current.effective
    if request.if_match is not None and before.revision not in request.if_match:
        raise RevisionMismatch(details={"revision": before.revision})
    if before.inherits and not change.while_inheriting:
        raise DestinationsInherited(
            "The destinations of this workspace are inherited from its parent: change them there, "
            "or stop inheriting first.",
            details={"owner_workspace_id": str(before.owner_id)},
        )
    problems = change.check(current)
    if problems:
        raise ValidationFailed(problems)


def _after(connection: Connection, before: EffectivePolicy, state: PolicyState) -> PolicyState:
    if not state.inherits or before.parent_id is None:
        return state
    return load_effective(connection, before.parent_id).state


def own_policy(before: PolicyState, destinations: Mapping[str, str]) -> PolicyState:
    """Return the workspace's own policy with this country map.

    Rules for numbers and prefixes stay, inherited ones as copies; contradicting country rules
    are removed.
    """
    if before.inherits:
        copies = tuple(replace(rule, rule_id=new_id()) for rule in before.rules)
        before = replace(before, rules=copies, inherits=False)
    return replace_map(before, destinations)


def set_own_policy(
    change: AuditedChange, workspace_id: UUID, destinations: Mapping[str, str]
) -> None:
    connection, now = change.connection, change.now
    lock_policy(connection, workspace_id)
    before = load_effective(connection, workspace_id)
    state = own_policy(CurrentPolicy(connection, before, now).state, destinations)
    changes = country_changes(country_accesses(before.state, now), country_accesses(state, now))
    revision = Revision("provisioned", change.actor, None, changes, now, counted=before.revision)
    write_state(connection, workspace_id, state, revision)
