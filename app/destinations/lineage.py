"""SQL that finds the workspace whose policy applies."""

from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Integer, literal, select

from app.access.parents import MAX_DEPTH
from app.access.tables import workspaces


def lineage(workspace_id: ColumnElement[UUID]) -> CTE:
    """Walk up the parents of a workspace while each inherits.

    The row with ``inherits_destinations`` false owns the policy.
    """
    walk = (
        select(
            workspaces.c.id,
            workspaces.c.parent_id,
            workspaces.c.inherits_destinations,
            literal(0, Integer).label("depth"),
        )
        .where(workspaces.c.id == workspace_id)
        .cte("lineage", recursive=True)
    )
    above = workspaces.alias("above")
    return walk.union_all(
        select(
            above.c.id, above.c.parent_id, above.c.inherits_destinations, walk.c.depth + 1
        ).where(
            above.c.id == walk.c.parent_id,
            walk.c.inherits_destinations,
            walk.c.depth < MAX_DEPTH,  # a longer chain finds no policy, which blocks all
        )
    )
