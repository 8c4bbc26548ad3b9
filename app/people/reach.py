"""The workspaces and roles of a user. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.access.roles import Role


@dataclass(frozen=True, slots=True)
class Reach:
    """Roles by workspace; ``everywhere`` holds in every workspace of the organization."""

    everywhere: Role | None
    by_workspace: Mapping[UUID, Role]

    def role_in(self, workspace_id: UUID) -> Role | None:
        """Return the greater of both roles, or None outside the reach."""
        own = self.by_workspace.get(workspace_id)
        if own is None or self.everywhere is None:
            return own or self.everywhere
        return own if own.permits(self.everywhere) else self.everywhere
