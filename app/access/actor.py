"""Who makes a change, for histories and audits."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.access.principal import Principal


class ActorKind(StrEnum):
    """By which door a change came in."""

    ACCESS_KEY = "access_key"
    COMMAND_LINE = "command_line"
    PROVISIONING = "provisioning"
    SYSTEM = "system"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change, by name, and by id where there is one."""

    kind: ActorKind
    name: str
    actor_id: UUID | None = None


def actor_of(principal: Principal) -> Actor:
    """Name the access key that asks."""
    return Actor(ActorKind.ACCESS_KEY, principal.key_name, principal.key_id)
