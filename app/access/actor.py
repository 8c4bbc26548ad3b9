"""The author of a change, for histories and the audit."""

from dataclasses import dataclass
from uuid import UUID

from app.access.principal import ActorKind, Principal


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a change: name, and id if it has one."""

    kind: ActorKind
    name: str
    actor_id: UUID | None = None


def actor_of(principal: Principal) -> Actor:
    """Name the access key or the person that asks."""
    return Actor(principal.kind, principal.key_name, principal.key_id)
