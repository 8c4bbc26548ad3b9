"""Loading the effective policy of a workspace."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, select, text

from app.access.tables import organizations, workspaces
from app.access.workspace_rules import MAX_DEPTH
from app.db.rows import AnyRow
from app.destinations.policy.evaluate import Access, Policy, Rule, RuleKind
from app.destinations.policy.state import PolicyState
from app.destinations.tables import destination_policies, destination_rules
from app.kernel.errors import NotFound
from app.use_cases.tables import use_cases


def inheritance_chain(workspace_id: str) -> str:
    """Write a recursive CTE, ``chain``: a workspace and its parents, while each inherits.

    ``workspace_id`` is an SQL expression. The row where ``inherits`` is false owns the policy; a
    chain that is too long has none, which blocks all.
    """
    return f"""chain (id, parent_id, inherits, depth) AS (
    SELECT id, parent_id, inherits_destinations, 0 FROM workspaces WHERE id = {workspace_id}
    UNION ALL
    SELECT above.id, above.parent_id, above.inherits_destinations, below.depth + 1
    FROM chain AS below JOIN workspaces AS above ON above.id = below.parent_id
    WHERE below.inherits AND below.depth < {MAX_DEPTH})"""


_OWNER = text(
    f"WITH RECURSIVE {inheritance_chain(':workspace_id')} SELECT id FROM chain WHERE NOT inherits"
).bindparams(bindparam("workspace_id", type_=Uuid()))


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """The policy that counts for a workspace: its own, or the one that it inherits."""

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
        """Return everything that decides for a number."""
        return Policy(
            revision=self.revision,
            destinations=self.state.destinations,
            denied_by_organization=self.denied_by_organization,
            rules=self.state.rules,
            use_case_countries=use_case_countries,
        )


def load_effective(connection: Connection, workspace_id: UUID) -> EffectivePolicy:
    """Load the policy that counts for a workspace.

    Raises:
        NotFound: there is no such workspace.
    """
    while True:
        row = _load_row(connection, workspace_id)
        # Who inherits from nobody has no rules either: its own rest.
        rules = () if row.owner_id is None else load_rules(connection, row.owner_id)
        if _load_revision(connection, row.owner_id) == row.revision:
            break
        # A change came in between: the map and the rules must be of one revision.
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
    row = connection.execute(
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
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


def _load_revision(connection: Connection, owner_id: UUID | None) -> int | None:
    columns = destination_policies.c
    query = select(columns.revision).where(columns.workspace_id == owner_id)
    return connection.execute(query).scalar_one_or_none()


def load_rules(connection: Connection, workspace_id: UUID) -> tuple[Rule, ...]:
    """Load the rules of a workspace's own policy, oldest first."""
    query = (
        select(destination_rules)
        .where(destination_rules.c.workspace_id == workspace_id)
        .order_by(destination_rules.c.id)
    )
    return tuple(rule_from(row) for row in connection.execute(query))


def rule_from(row: AnyRow) -> Rule:
    """Read a rule out of its row."""
    return Rule(
        rule_id=row.id,
        kind=RuleKind(row.kind),
        value=row.value,
        action=Access(row.action),
        expires_at=row.expires_at,
        reason=row.reason,
        created_at=row.created_at,
        copied_from=row.copied_from,
    )


def load_use_case_countries(
    connection: Connection, workspace_id: UUID, use_case_id: UUID
) -> frozenset[str] | None:
    """Load the countries that a use case is limited to; None if it is not.

    Raises:
        NotFound: the workspace has no such use case.
    """
    row = connection.execute(
        select(use_cases.c.allowed_destinations).where(
            use_cases.c.id == use_case_id,
            use_cases.c.workspace_id == workspace_id,
            use_cases.c.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    return None if row.allowed_destinations is None else frozenset(row.allowed_destinations)


def inheriting_workspaces(connection: Connection, workspace_id: UUID) -> list[UUID]:
    """List the workspaces for which a workspace's own policy counts, itself first."""
    walk = (
        select(workspaces.c.id).where(workspaces.c.id == workspace_id).cte("down", recursive=True)
    )
    below = workspaces.alias("below")
    walk = walk.union(
        select(below.c.id).where(below.c.parent_id == walk.c.id, below.c.inherits_destinations)
    )
    return list(connection.execute(select(walk.c.id)).scalars())
