"""SQL that finds the workspace whose policy applies."""

from app.access.parents import MAX_DEPTH


def lineage(workspace_id: str) -> str:
    """Write a recursive CTE, ``lineage``: a workspace and its parents, while each inherits.

    ``workspace_id`` is an SQL expression. The row where ``inherits`` is false owns the policy; a
    chain that is too long has none, which blocks all.
    """
    return f"""lineage (id, parent_id, inherits, depth) AS (
    SELECT id, parent_id, inherits_destinations, 0 FROM workspaces WHERE id = {workspace_id}
    UNION ALL
    SELECT above.id, above.parent_id, above.inherits_destinations, below.depth + 1
    FROM lineage AS below JOIN workspaces AS above ON above.id = below.parent_id
    WHERE below.inherits AND below.depth < {MAX_DEPTH})"""
