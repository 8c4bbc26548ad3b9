"""Who makes a change, for histories and audits."""

from dataclasses import dataclass
from uuid import UUID

from app.access.principal import ActorKind, Principal


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change, by name, and by id where there is one."""

    kind: ActorKind
    name: str
    actor_id: UUID | None = None


def actor_of(principal: Principal) -> Actor:
    """Name the access key or the person that asks."""
    return Actor(principal.kind, principal.key_name, principal.key_id)
