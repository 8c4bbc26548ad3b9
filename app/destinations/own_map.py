"""Giving a workspace its own country map: a first policy, or one instead of its parent's."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.actor import Actor
from app.destinations.load import load_effective
from app.destinations.state import (
    PolicyState,
    country_accesses,
    country_changes,
    replace_map,
    start_from,
)
from app.destinations.store import Revision, lock_policy, write_state
from app.kernel.ids import new_id


def own_policy(before: PolicyState, destinations: Mapping[str, str]) -> PolicyState:
    """Return the workspace's own policy with this country map.

    Rules for numbers and prefixes stay, inherited ones as copies; contradicting rules for a whole
    country are removed.
    """
    if before.inherits:
        copies = tuple(replace(rule, rule_id=new_id()) for rule in before.rules)
        before = start_from(replace(before, rules=copies))(before)
    return replace_map(destinations)(before)


def write_own_map(
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
