"""Giving a workspace its own country map: a first policy, or one instead of its parent's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.access.principal import Actor
from app.db.engine import Database
from app.destinations.impact import TrafficSource, impact
from app.destinations.policy.diff import PolicyDiff
from app.destinations.policy.state import (
    CountryChange,
    Edit,
    FieldProblems,
    PolicyState,
    country_accesses,
    country_changes,
    replace_map,
    start_from,
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
    """Author, reason, condition and dry run of a change."""

    actor: Actor
    reason: str | None = None
    if_match: frozenset[int] | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A change: its action in the history, its edit, and its problems.

    ``reason`` is kept if whoever asks gives none; ``restored`` is the revision to go back to.
    """

    action: str
    edit: Callable[[Connection, EffectivePolicy], Edit]
    problems: Callable[[Connection, EffectivePolicy], FieldProblems] = field(default=lambda *_: {})
    while_inheriting: bool = False
    reason: str | None = None
    restored: int | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A policy after a change; of a dry run, as it would be, with its impact on past traffic."""

    effective: EffectivePolicy
    changes: tuple[CountryChange, ...]
    impact: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ManageDestinations:
    """The operation behind every change of a policy."""

    database: Database
    clock: Clock
    traffic: TrafficSource

    def __call__(self, workspace_id: UUID, change: PolicyChange, request: ChangeRequest) -> Changed:
        """Make a change, or a dry run of it.

        Raises:
            NotFound: there is no such workspace, or no such thing to change in it.
            RevisionMismatch: ``If-Match`` does not name the current revision.
            DestinationsInherited: the policy belongs to the parent.
            ValidationFailed: the change is not valid.
        """
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
        """Make a change inside the caller's transaction."""
        now = self.clock.now()
        if not request.dry_run:
            lock_policy(connection, workspace_id)
        before = load_effective(connection, workspace_id)
        _check(connection, before, change, request)
        state = change.edit(connection, before)(replace(before.state, inherits=before.inherits))
        after_state = _after(connection, before, state)
        changes = country_changes(
            country_accesses(before.state, now), country_accesses(after_state, now)
        )
        after = replace(before, state=after_state, inherits=state.inherits)
        if request.dry_run:
            diff = PolicyDiff(before.policy(), after.policy(), now)
            touched = inheriting_workspaces(connection, workspace_id)
            return Changed(after, changes, impact(connection, self.traffic, touched, diff))
        if state == replace(before.state, inherits=before.inherits):
            return Changed(before, ())
        reason = request.reason or change.reason
        revision = Revision(
            change.action, request.actor, reason, changes, now, before.revision, change.restored
        )
        write_state(connection, workspace_id, state, revision)
        return Changed(load_effective(connection, workspace_id), changes)


def _check(
    connection: Connection, before: EffectivePolicy, change: PolicyChange, request: ChangeRequest
) -> None:
    if request.if_match is not None and before.revision not in request.if_match:
        raise RevisionMismatch(details={"revision": before.revision})
    if before.inherits and not change.while_inheriting:
        raise DestinationsInherited(
            "The destinations of this workspace are inherited from its parent: change them there, "
            "or leave the inheritance first.",
            details={"owner_workspace_id": str(before.owner_id)},
        )
    problems = change.problems(connection, before)
    if problems:
        raise ValidationFailed(problems)


def _after(connection: Connection, before: EffectivePolicy, state: PolicyState) -> PolicyState:
    """Return the effective policy: the own one, or the parent's if it would inherit."""
    if not state.inherits or before.parent_id is None:
        return state
    return load_effective(connection, before.parent_id).state


def own_policy(before: PolicyState, destinations: Mapping[str, str]) -> PolicyState:
    """Return the workspace's own policy with this country map.

    Rules for numbers and prefixes stay, inherited ones as copies; contradicting rules for a whole
    country are removed.
    """
    if before.inherits:
        copies = tuple(replace(rule, rule_id=new_id()) for rule in before.rules)
        before = start_from(replace(before, rules=copies))(before)
    return replace_map(destinations)(before)


def set_own_policy(
    connection: Connection,
    workspace_id: UUID,
    destinations: Mapping[str, str],
    actor: Actor,
    now: datetime,
) -> None:
    """Make a country map the policy that a workspace has of its own, as its next revision."""
    lock_policy(connection, workspace_id)
    before = load_effective(connection, workspace_id)
    state = own_policy(replace(before.state, inherits=before.inherits), destinations)
    changes = country_changes(country_accesses(before.state, now), country_accesses(state, now))
    revision = Revision("provisioned", actor, None, changes, now, counted=before.revision)
    write_state(connection, workspace_id, state, revision)
