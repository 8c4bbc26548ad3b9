"""Parents of the file's workspaces, without loops. Pure."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from app.access.parents import mistake_in_chain
from app.kernel.ids import parse_id
from app.provisioning.desired import DesiredWorkspace
from app.provisioning.mistakes import Mistakes, step
from app.provisioning.records import WorkspaceRecord


def resolve_parents(
    entries: Iterable[tuple[UUID, DesiredWorkspace]],
    stored: Mapping[UUID, WorkspaceRecord],
    names: Mapping[UUID, str],
    mistakes: Mistakes,
) -> dict[UUID, UUID | None]:
    """Return the parent that each workspace will have; ``names`` holds all that will exist."""
    entries = list(entries)
    by_name = {name: workspace_id for workspace_id, name in names.items()}
    parents = {known.id: known.parent_id for known in stored.values()}
    for workspace_id, entry in entries:
        parents.setdefault(workspace_id, None)
        if entry.parent is not None:
            found = _find(entry.parent, names, by_name)
            if found is None and entry.parent:
                mistakes.add(step(entry.place, "parent"), "There is no such workspace.")
            parents[workspace_id] = found
    for workspace_id, entry in entries:
        if entry.parent:
            wrong = mistake_in_chain(workspace_id, parents)
            if wrong:
                mistakes.add(step(entry.place, "parent"), wrong)
    return parents


def _find(parent: str, names: Mapping[UUID, str], by_name: Mapping[str, UUID]) -> UUID | None:
    as_id = parse_id(parent)
    if as_id is not None:
        return as_id if as_id in names else None
    return by_name.get(parent)
