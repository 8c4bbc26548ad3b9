"""The principal of a request: an access key or a user, with its role and scope."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.access.key_limits import DEFAULT_RATE, NO_LIMITS, KeyLimits, Rate
from app.access.roles import Role
from app.kernel.errors import Forbidden, Unauthorized


class ActorKind(StrEnum):
    """The kinds of principals and authors."""

    ACCESS_KEY = "access_key"
    COMMAND_LINE = "command_line"
    PROVISIONING = "provisioning"
    SYSTEM = "system"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Principal:
    """An admitted key or a signed-in person, by id and name.

    Without a workspace it reaches every workspace of its organization.
    """

    key_id: UUID
    key_name: str
    organization_id: UUID
    workspace_id: UUID | None
    role: Role
    kind: ActorKind = ActorKind.ACCESS_KEY
    limits: KeyLimits = NO_LIMITS

    def reaches(self, organization_id: UUID, workspace_id: UUID) -> bool:
        """Say whether an object of a workspace exists for this principal."""
        if self.organization_id != organization_id:
            return False
        return self.workspace_id is None or self.workspace_id == workspace_id


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An access key as found in the database, not yet admitted."""

    principal: Principal
    expires_at: datetime | None
    revoked_at: datetime | None
    rate: Rate = DEFAULT_RATE
    last_used_at: datetime | None = None


def admit(key: StoredKey | None, wanted: Role, now: datetime) -> Principal:
    """Return the principal of a live key with a sufficient role.

    Raises:
        Unauthorized: there is no such key, or it is expired or revoked.
        Forbidden: the role is not sufficient.
    """
    if key is None or key.revoked_at is not None:
        raise Unauthorized
    if key.expires_at is not None and key.expires_at <= now:
        raise Unauthorized
    if not key.principal.role.permits(wanted):
        raise Forbidden(f"This takes the role {wanted}; the access key has {key.principal.role}.")
    return key.principal
