"""Tenants that look at each other's objects."""

from dataclasses import dataclass

from app.access.roles import Role
from support.world import Gateway, Tenant, World


@dataclass
class Family:
    """One tenant, whom it is related to, and keys of the organization, of each role."""

    gateway: Gateway
    world: World
    own: Tenant
    parent: Tenant
    sibling: Tenant
    stranger: Tenant
    organization_keys: dict[Role, str]
    strange_organization_keys: dict[Role, str]
