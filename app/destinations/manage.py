"""Changing a policy: one transaction with revision check and history.

API, console, commands and provisioning all change policies here. Concurrent changes are serialized;
with ``If-Match`` the later one is refused, without it is applied on top.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.access.actor import Actor
from app.db.engine import Database
from app.destinations.load import Effective, followers, load_effective
from app.destinations.problems import Problems
from app.destinations.shift import Shift
from app.destinations.state import (
    CountryChange,
    Edit,
    PolicyState,
    country_accesses,
    country_changes,
)
from app.destinations.store import Revision, lock_policy, write_state
from app.destinations.traffic import TrafficSource, impact
from app.kernel.clock import Clock
from app.kernel.errors import DestinationsInherited, RevisionMismatch, ValidationFailed


@dataclass(frozen=True, slots=True)
class Asked:
    """Author, reason, condition and dry run of a change."""

    actor: Actor
    reason: str | None = None
    if_match: frozenset[int] | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A change: its action in the history, its edit, and its problems.

    ``reason`` is kept if whoever asks gives none.
    """

    action: str
    edit: Callable[[Connection, Effective], Edit]
    problems: Callable[[Connection, Effective], Problems] = field(default=lambda *_: {})
    while_inheriting: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A policy after a change; of a dry run, as it would be, with its impact on past traffic."""

    effective: Effective
    changes: tuple[CountryChange, ...]
    impact: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ManageDestinations:
    """The operation behind every change of a policy."""

    database: Database
    clock: Clock
    traffic: TrafficSource

    def __call__(self, workspace_id: UUID, change: Change, asked: Asked) -> Changed:
        """Make a change, or a dry run of it.

        Raises:
            NotFound: there is no such workspace, or no such thing to change in it.
            RevisionMismatch: ``If-Match`` does not name the current revision.
            DestinationsInherited: the policy belongs to the parent.
            ValidationFailed: the change is not valid.
        """
        if asked.dry_run:
            with self.database.reading() as connection:
                return self.within(connection, workspace_id, change, asked)
        with self.database.writing() as connection:
            return self.within(connection, workspace_id, change, asked)

    def within(
        self, connection: Connection, workspace_id: UUID, change: Change, asked: Asked
    ) -> Changed:
        """Make a change inside the caller's transaction."""
        now = self.clock.now()
        if not asked.dry_run:
            lock_policy(connection, workspace_id)
        before = load_effective(connection, workspace_id)
        _check(connection, before, change, asked)
        state = change.edit(connection, before)(replace(before.state, inherits=before.inherits))
        after_state = _after(connection, before, state)
        changes = country_changes(
            country_accesses(before.state, now), country_accesses(after_state, now)
        )
        after = replace(before, state=after_state, inherits=state.inherits)
        if asked.dry_run:
            shift = Shift(before.policy(), after.policy(), now)
            touched = followers(connection, workspace_id)
            return Changed(after, changes, impact(connection, self.traffic, touched, shift))
        if state == replace(before.state, inherits=before.inherits):
            return Changed(before, ())
        reason = asked.reason or change.reason
        revision = Revision(
            change.action, asked.actor, reason, changes, now, counted=before.revision
        )
        write_state(connection, workspace_id, state, revision)
        return Changed(load_effective(connection, workspace_id), changes)


def _check(connection: Connection, before: Effective, change: Change, asked: Asked) -> None:
    if asked.if_match is not None and before.revision not in asked.if_match:
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


def _after(connection: Connection, before: Effective, state: PolicyState) -> PolicyState:
    """Return the effective policy: the own one, or the parent's if it would inherit."""
    if not state.inherits or before.parent_id is None:
        return state
    return load_effective(connection, before.parent_id).state
