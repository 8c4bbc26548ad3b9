"""Default retention of message bodies and numbers, in days."""

from collections.abc import Mapping
from uuid import UUID

MAX_DEPTH = 32  # a chain is followed this far and no further


def mistake_in_chain(start: UUID, parents: Mapping[UUID, UUID | None]) -> str | None:
    """Return the problem with the chain of parents that begins at a workspace, or None."""
    seen: set[UUID] = set()
    at = parents[start]
    while at is not None and at not in seen:
        if at == start:
            return "Makes the workspace its own ancestor."
        seen.add(at)
        at = parents.get(at)
    # A loop that the chain only leads into is told where it closes.
    if at is None and len(seen) > MAX_DEPTH:
        return f"Makes a chain of more than {MAX_DEPTH} parents."
    return None


BODY_RETENTION_DAYS = 7
NUMBER_RETENTION_DAYS = 90
