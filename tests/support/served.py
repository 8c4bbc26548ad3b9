"""A gateway that the tests of a module share."""

from dataclasses import dataclass

from support.factories import Factory, Gateway, Tenant


@dataclass
class Served:
    """A gateway, its database's rows and one tenant; tests that share it leave nothing behind."""

    gateway: Gateway
    factory: Factory
    tenant: Tenant
