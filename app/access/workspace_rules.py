"""Default retention times, and the depth of a workspace's parents."""

from collections.abc import Mapping
from uuid import UUID

MAX_DEPTH = 32  # of a chain of parents


def mistake_in_chain(start: UUID, parents: Mapping[UUID, UUID | None]) -> str | None:
    seen: set[UUID] = set()
    at = parents[start]
    while at is not None and at not in seen:
        if at == start:
            return "Makes the workspace its own ancestor."
        seen.add(at)
        at = parents.get(at)
    # A loop further up the chain is reported where it closes.
    if at is None and len(seen) > MAX_DEPTH:
        return f"Makes a chain of more than {MAX_DEPTH} parents."
    return None


BODY_RETENTION_DAYS = 7
NUMBER_RETENTION_DAYS = 90
