"""SQL of policies: the effective one of a workspace, and each change with its history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, delete, insert, select, text

from app.access.audit import AuditedChange, AuditEvent
from app.access.principal import Actor
from app.access.store import required
from app.access.tables import organizations, workspaces
from app.access.workspace_rules import MAX_DEPTH
from app.db.rows import AnyRow, from_row, insert_on_conflict, update_row
from app.destinations.policy.evaluate import Access, Policy, Rule, RuleKind
from app.destinations.policy.state import CountryChange, PolicyState
from app.destinations.tables import destination_policies, destination_revisions, destination_rules
from app.kernel.clock import parse_rfc3339, rfc3339
from app.kernel.ids import new_id
from app.use_cases.tables import use_cases
from app.webhooks.outbox import EventType, add_event


def inheritance_chain(workspace_id: str) -> str:
    """Return a recursive CTE, ``chain``: a workspace and its parents, while each inherits.

    ``workspace_id`` is an SQL expression. The row that does not inherit owns the policy; a
    chain that is too long has none, which blocks all.
    """
    return f"""chain (id, parent_id, inherits, depth) AS (
    SELECT id, parent_id, inherits_destinations, 0 FROM workspaces WHERE id = {workspace_id}
    UNION ALL
    SELECT above.id, above.parent_id, above.inherits_destinations, below.depth + 1
    FROM chain AS below JOIN workspaces AS above ON above.id = below.parent_id
    WHERE below.inherits AND below.depth < {MAX_DEPTH})"""


_SAME_IN_ROW = ("kind", "value", "action", "reason", "expires_at", "copied_from")
_OWNER = text(
    f"WITH RECURSIVE {inheritance_chain(':workspace_id')} SELECT id FROM chain WHERE NOT inherits"
).bindparams(bindparam("workspace_id", type_=Uuid()))


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    workspace_id: UUID
    organization_id: UUID
    parent_id: UUID | None
    owner_id: UUID
    inherits: bool
    revision: int
    state: PolicyState
    denied_by_organization: frozenset[str]
    created_at: datetime
    updated_at: datetime

    def policy(self, use_case_countries: frozenset[str] | None = None) -> Policy:
        return Policy(
            revision=self.revision,
            destinations=self.state.destinations,
            denied_by_organization=self.denied_by_organization,
            rules=self.state.rules,
            use_case_countries=use_case_countries,
        )


def load_effective(connection: Connection, workspace_id: UUID) -> EffectivePolicy:
    """Raises `NotFound`."""
    while True:
        row = _load_row(connection, workspace_id)
        # If no ancestor has a policy, no rules apply; the workspace's own are not used.
        rules = () if row.owner_id is None else load_rules(connection, row.owner_id)
        if _load_revision(connection, row.owner_id) == row.revision:
            break
        # The policy changed in between: map and rules must have the same revision.
    return EffectivePolicy(
        workspace_id=row.id,
        organization_id=row.organization_id,
        parent_id=row.parent_id,
        owner_id=row.owner_id or workspace_id,
        inherits=row.inherits_destinations,
        revision=row.revision or 0,
        state=PolicyState(row.destinations or {}, rules),
        denied_by_organization=frozenset(row.denied_destinations),
        created_at=row.created_at or row.workspace_created_at,
        updated_at=row.updated_at or row.workspace_created_at,
    )


def _load_row(connection: Connection, workspace_id: UUID) -> AnyRow:
    owner = _OWNER.bindparams(workspace_id=workspace_id).columns(id=Uuid).scalar_subquery()
    query = (
        select(
            workspaces.c.id,
            workspaces.c.organization_id,
            workspaces.c.parent_id,
            workspaces.c.inherits_destinations,
            workspaces.c.created_at.label("workspace_created_at"),
            organizations.c.denied_destinations,
            owner.label("owner_id"),
            destination_policies.c.revision,
            destination_policies.c.destinations,
            destination_policies.c.created_at,
            destination_policies.c.updated_at,
        )
        .join(organizations, organizations.c.id == workspaces.c.organization_id)
        .outerjoin(destination_policies, destination_policies.c.workspace_id == owner)
        .where(workspaces.c.id == workspace_id)
    )
    return required(connection.execute(query).one_or_none())


def _load_revision(connection: Connection, owner_id: UUID | None) -> int | None:
    columns = destination_policies.c
    query = select(columns.revision).where(columns.workspace_id == owner_id)
    return connection.execute(query).scalar_one_or_none()


def load_rules(connection: Connection, workspace_id: UUID) -> tuple[Rule, ...]:
    query = (
        select(destination_rules)
        .where(destination_rules.c.workspace_id == workspace_id)
        .order_by(destination_rules.c.id)
    )
    return tuple(rule_from(row) for row in connection.execute(query))


def rule_from(row: AnyRow) -> Rule:
    kind, action = RuleKind(row.kind), Access(row.action)
    return from_row(Rule, row, rule_id=row.id, kind=kind, action=action)


def load_use_case_countries(
    connection: Connection, workspace_id: UUID, use_case_id: UUID
) -> frozenset[str] | None:
    """Raises `NotFound`."""
    query = select(use_cases.c.allowed_destinations).where(
        use_cases.c.id == use_case_id,
        use_cases.c.workspace_id == workspace_id,
        use_cases.c.deleted_at.is_(None),
    )
    (countries,) = required(connection.execute(query).one_or_none())
    return None if countries is None else frozenset(countries)


def inheriting_workspaces(connection: Connection, workspace_id: UUID) -> list[UUID]:
    """List the workspaces that a policy applies to, its own first."""
    walk = (
        select(workspaces.c.id).where(workspaces.c.id == workspace_id).cte("down", recursive=True)
    )
    below = workspaces.alias("below")
    walk = walk.union(
        select(below.c.id).where(below.c.parent_id == walk.c.id, below.c.inherits_destinations)
    )
    return list(connection.execute(select(walk.c.id)).scalars())


def load_revision(connection: Connection, workspace_id: UUID, revision: int) -> AnyRow:
    """Raises `NotFound`."""
    columns = destination_revisions.c
    query = select(destination_revisions).where(
        columns.workspace_id == workspace_id, columns.revision == revision
    )
    return required(connection.execute(query).one_or_none())


@dataclass(frozen=True, slots=True)
class Revision:
    """The history row of a change.

    ``counted`` is the revision that applied before, also an inherited one, so that numbers keep
    rising and an old ``If-Match`` never matches.
    """

    action: str
    actor: Actor
    reason: str | None
    changes: tuple[CountryChange, ...]
    at: datetime
    counted: int = 0
    restored: int | None = None


def lock_policy(connection: Connection, workspace_id: UUID) -> None:
    query = select(workspaces.c.id).where(workspaces.c.id == workspace_id)
    # FOR NO KEY UPDATE: sends of the workspace refer to its row and must not wait.
    connection.execute(query.with_for_update(key_share=True))


def write_state(
    connection: Connection, workspace_id: UUID, state: PolicyState, revision: Revision
) -> int:
    from_revision = _load_revision(connection, workspace_id)
    number = max(from_revision or 0, revision.counted) + 1
    _write_policy(connection, workspace_id, state, number, revision.at)
    _write_rules(connection, workspace_id, state.rules, revision.at)
    update_row(connection, workspaces, workspace_id, inherits_destinations=state.inherits)
    connection.execute(
        insert(destination_revisions).values(
            id=new_id(),
            workspace_id=workspace_id,
            revision=number,
            from_revision=from_revision,
            restored_revision=revision.restored,
            at=revision.at,
            **revision.actor.columns,
            action=revision.action,
            reason=revision.reason,
            inherits=state.inherits,
            destinations=dict(state.destinations),
            rules=[_kept_rule(rule) for rule in state.rules],
            changes=[change.as_json() for change in revision.changes],
        )
    )
    action = f"destinations.{revision.action}"
    event = AuditEvent(action, workspace_id, number, revision.reason)
    AuditedChange(connection, revision.actor, revision.at).record(event)
    _add_changed_event(connection, workspace_id, number, revision)
    return number


def _add_changed_event(
    connection: Connection, workspace_id: UUID, number: int, revision: Revision
) -> None:
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
    return PolicyState(
        destinations=row.destinations,
        rules=tuple(_rule_from_json(rule) for rule in row.rules),
        inherits=row.inherits,
    )


def rule_json(rule: Rule) -> dict[str, Any]:
    return {
        "id": str(rule.rule_id),
        "kind": rule.kind.value,
        "value": rule.value,
        "action": rule.action.value,
        "reason": rule.reason,
        "expires_at": rfc3339(rule.expires_at),
        "created_at": rfc3339(rule.created_at),
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


def _write_policy(
    connection: Connection, workspace_id: UUID, state: PolicyState, number: int, now: datetime
) -> None:
    values = {"revision": number, "destinations": dict(state.destinations), "updated_at": now}
    own = {"workspace_id": workspace_id, "created_at": now}
    wanted = insert_on_conflict(connection, destination_policies).values(**own, **values)
    connection.execute(wanted.on_conflict_do_update(index_elements=["workspace_id"], set_=values))


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
        connection.execute(insert(table), [_rule_row(rule, workspace_id, now) for rule in new])


def _rule_row(rule: Rule, workspace_id: UUID, now: datetime) -> dict[str, Any]:
    own = {"id": rule.rule_id, "workspace_id": workspace_id, "created_at": rule.created_at or now}
    return {name: getattr(rule, name) for name in _SAME_IN_ROW} | own
