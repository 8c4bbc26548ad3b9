"""Tenants that look at each other's objects."""

from dataclasses import dataclass
from datetime import timedelta

from app.access.keys import NewAccessKey, create_key
from app.access.principal import Role
from app.access.store import revoke_key
from support.factories import Factory, Gateway, Tenant


@dataclass(frozen=True)
class RelatedTenants:
    """Whom a tenant is related to or not, with keys of both organizations, of each role."""

    parent: Tenant
    sibling: Tenant
    stranger: Tenant
    organization_keys: dict[Role, str]
    strange_organization_keys: dict[Role, str]


@dataclass
class Tenants:
    """One tenant of a test's own, and its relatives."""

    gateway: Gateway
    factory: Factory
    own: Tenant
    related_tenants: RelatedTenants

    def dead_keys(self, role: Role) -> dict[str, str]:
        """Keys of the own tenant that were good and are not any more."""
        dead = {}
        now = self.factory.now
        with self.factory.database.writing() as c:
            for how in ("expired", "revoked"):
                key = create_key(
                    c,
                    self.own.organization_id,
                    NewAccessKey(
                        how, role, self.own.workspace_id, now if how == "expired" else None
                    ),
                    now - timedelta(days=1),
                )
                dead[how] = key.token
                if how == "revoked":
                    revoke_key(c, key.row.id, now)
        return dead
