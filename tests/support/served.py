"""A gateway that the tests of a module share."""

from dataclasses import dataclass

from support.world import Gateway, Tenant, World


@dataclass
class Served:
    """A gateway, its database's rows and one tenant; tests that share it leave nothing behind."""

    gateway: Gateway
    world: World
    tenant: Tenant
