"""SQL that writes a policy and its history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update

from app.access.audit import record_workspace_event
from app.access.principal import Actor
from app.access.tables import workspaces
from app.db.rows import AnyRow
from app.destinations.policy.evaluate import Access, Rule, RuleKind
from app.destinations.policy.state import CountryChange, PolicyState
from app.destinations.tables import (
    destination_policies,
    destination_revisions,
    destination_rules,
)
from app.kernel.clock import parse_rfc3339, rfc3339
from app.kernel.errors import NotFound
from app.kernel.ids import new_id
from app.webhooks.events import EventType
from app.webhooks.outbox import add_event


def load_revision(connection: Connection, workspace_id: UUID, revision: int) -> AnyRow:
    """Load one revision.

    Raises:
        NotFound: the workspace has no such revision.
    """
    columns = destination_revisions.c
    query = select(destination_revisions).where(
        columns.workspace_id == workspace_id, columns.revision == revision
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound
    return row


@dataclass(frozen=True, slots=True)
class Revision:
    """The history row of a change.

    ``counted`` is the revision that applied before, inherited ones included, so that the numbers
    keep rising and an old ``If-Match`` never fits. ``restored`` is the revision gone back to.
    """

    action: str
    actor: Actor
    reason: str | None
    changes: tuple[CountryChange, ...]
    at: datetime
    counted: int = 0
    restored: int | None = None


def lock_policy(connection: Connection, workspace_id: UUID) -> None:
    """Make changes of one workspace's policy take turns; SQLite's writers do so anyway."""
    query = select(workspaces.c.id).where(workspaces.c.id == workspace_id)
    # Without the key: sends of the workspace refer to its row and must not wait.
    connection.execute(query.with_for_update(key_share=True))


def write_state(
    connection: Connection, workspace_id: UUID, state: PolicyState, revision: Revision
) -> int:
    """Write a workspace's own policy as its next revision, and return that revision's number."""
    from_revision = _last_revision(connection, workspace_id)
    number = max(from_revision or 0, revision.counted) + 1
    _write_policy(connection, workspace_id, state, number, revision.at)
    _write_rules(connection, workspace_id, state.rules, revision.at)
    connection.execute(
        update(workspaces)
        .where(workspaces.c.id == workspace_id)
        .values(inherits_destinations=state.inherits)
    )
    connection.execute(
        insert(destination_revisions).values(
            id=new_id(),
            workspace_id=workspace_id,
            revision=number,
            from_revision=from_revision,
            restored_revision=revision.restored,
            at=revision.at,
            actor_kind=revision.actor.kind,
            actor_id=revision.actor.actor_id,
            actor_name=revision.actor.name,
            action=revision.action,
            reason=revision.reason,
            inherits=state.inherits,
            destinations=dict(state.destinations),
            rules=[_kept_rule(rule) for rule in state.rules],
            changes=[change.as_json() for change in revision.changes],
        )
    )
    record_workspace_event(
        connection,
        revision.actor,
        workspace_id,
        f"destinations.{revision.action}",
        revision.at,
        target=number,
        reason=revision.reason,
    )
    _tell(connection, workspace_id, number, revision)
    return number


def _tell(connection: Connection, workspace_id: UUID, number: int, revision: Revision) -> None:
    data = {
        "workspace_id": str(workspace_id),
        "revision": number,
        "action": revision.action,
        "actor": {"kind": revision.actor.kind.value, "name": revision.actor.name},
        "reason": revision.reason,
        "changes": [change.as_json() for change in revision.changes],
    }
    add_event(connection, workspace_id, EventType.DESTINATION_CHANGED, data, revision.at)


def state_of_revision(row: AnyRow) -> PolicyState:
    """Read the policy as it was after a change."""
    return PolicyState(
        destinations=row.destinations,
        rules=tuple(_rule_from_json(rule) for rule in row.rules),
        inherits=row.inherits,
    )


def rule_json(rule: Rule) -> dict[str, Any]:
    """Write a rule as the API shows it."""
    return {
        "id": str(rule.rule_id),
        "kind": rule.kind.value,
        "value": rule.value,
        "action": rule.action.value,
        "reason": rule.reason,
        "expires_at": None if rule.expires_at is None else rfc3339(rule.expires_at),
        "created_at": None if rule.created_at is None else rfc3339(rule.created_at),
    }


def _kept_rule(rule: Rule) -> dict[str, Any]:
    copied_from = {} if rule.copied_from is None else {"copied_from": str(rule.copied_from)}
    return rule_json(rule) | copied_from


def _rule_from_json(found: dict[str, Any]) -> Rule:
    def time(name: str) -> datetime | None:
        return None if found[name] is None else parse_rfc3339(found[name])

    return Rule(
        rule_id=UUID(found["id"]),
        kind=RuleKind(found["kind"]),
        value=found["value"],
        action=Access(found["action"]),
        expires_at=time("expires_at"),
        reason=found["reason"],
        created_at=time("created_at"),
        copied_from=UUID(found["copied_from"]) if "copied_from" in found else None,
    )


def _last_revision(connection: Connection, workspace_id: UUID) -> int | None:
    query = select(func.max(destination_policies.c.revision)).where(
        destination_policies.c.workspace_id == workspace_id
    )
    found: int | None = connection.execute(query).scalar_one()
    return found


def _write_policy(
    connection: Connection, workspace_id: UUID, state: PolicyState, number: int, now: datetime
) -> None:
    table = destination_policies
    values = {"revision": number, "destinations": dict(state.destinations), "updated_at": now}
    done = connection.execute(
        update(table).where(table.c.workspace_id == workspace_id).values(**values)
    )
    if done.rowcount == 0:
        connection.execute(
            insert(table).values(workspace_id=workspace_id, created_at=now, **values)
        )


def _write_rules(
    connection: Connection, workspace_id: UUID, rules: tuple[Rule, ...], now: datetime
) -> None:
    table = destination_rules
    own = table.c.workspace_id == workspace_id
    stored = set(connection.execute(select(table.c.id).where(own)).scalars())
    kept = {rule.rule_id for rule in rules}
    if stored - kept:
        connection.execute(delete(table).where(own, table.c.id.in_(stored - kept)))
    new = [rule for rule in rules if rule.rule_id not in stored]
    if new:
        connection.execute(
            insert(table),
            [
                {
                    "id": rule.rule_id,
                    "workspace_id": workspace_id,
                    "kind": rule.kind.value,
                    "value": rule.value,
                    "action": rule.action.value,
                    "reason": rule.reason,
                    "expires_at": rule.expires_at,
                    "created_at": rule.created_at or now,
                    "copied_from": rule.copied_from,
                }
                for rule in new
            ],
        )
