"""The signed-in user or access key, with the accessible workspaces and roles."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.access.principal import NO_LIMITS, Actor, ActorKind, KeyLimits, Principal, Role
from app.kernel.errors import NotFound


@dataclass(frozen=True, slots=True)
class RoleGrants:
    """``everywhere`` applies to every workspace of the organization."""

    everywhere: Role | None
    by_workspace: Mapping[UUID, Role]

    def role_in(self, workspace_id: UUID) -> Role | None:
        """The greater of both roles, or None."""
        own = self.by_workspace.get(workspace_id)
        if own is None or self.everywhere is None:
            return own or self.everywhere
        return own if own.permits(self.everywhere) else self.everywhere


@dataclass(frozen=True, slots=True)
class WorkspaceAccess:
    workspace_id: UUID
    name: str
    role: Role
    is_suspended: bool
    suspended_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOwner:
    """The user or access key of a session."""

    session_id: UUID
    kind: ActorKind
    principal_id: UUID
    name: str
    organization_id: UUID
    reach: RoleGrants
    limits: KeyLimits = NO_LIMITS

    @property
    def is_person(self) -> bool:
        return self.kind is ActorKind.USER

    @property
    def actor(self) -> Actor:
        return Actor(self.kind, self.name, self.principal_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentUser(SessionOwner):
    """A signed-in user or access key; pages show ``workspace_access``."""

    organization_name: str
    workspace_access: WorkspaceAccess | None
    workspaces: tuple[WorkspaceAccess, ...]

    @property
    def role(self) -> Role:
        """The role in the shown workspace, or else in the organization."""
        return (
            self.workspace_access.role if self.workspace_access else self.reach.everywhere
        ) or Role.VIEWER

    def permits(self, wanted: Role) -> bool:
        return self.role.permits(wanted)

    def permits_everywhere(self, wanted: Role) -> bool:
        return self.reach.everywhere is not None and self.reach.everywhere.permits(wanted)

    @property
    def principal(self) -> Principal:
        """For the shown workspace, or else the organization; raises `NotFound` without both."""
        if self.workspace_access is not None:
            return self._principal(self.workspace_access.workspace_id, self.workspace_access.role)
        wide = self.organization_principal
        if wide is None:
            raise NotFound("You have no workspace here. An owner gives you a role in one.")
        return wide

    @property
    def workspace_names(self) -> dict[UUID, str]:
        return {place.workspace_id: place.name for place in self.workspaces}

    @property
    def organization_principal(self) -> Principal | None:
        everywhere = self.reach.everywhere
        return None if everywhere is None else self._principal(None, everywhere)

    def principal_for(self, wanted: Role) -> Principal:
        """Return the organization's principal if its role permits, else the workspace's."""
        wide = self.organization_principal
        return wide if wide is not None and wide.role.permits(wanted) else self.principal

    def _principal(self, workspace_id: UUID | None, role: Role) -> Principal:
        return Principal(
            key_id=self.principal_id,
            key_name=self.name,
            organization_id=self.organization_id,
            workspace_id=workspace_id,
            role=role,
            kind=self.kind,
            limits=self.limits,
        )
