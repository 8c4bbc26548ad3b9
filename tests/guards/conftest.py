"""Fixtures of the tests about guards: a database for a module, a workspace for each test."""

import pytest

from app.db.engine import Database
from app.db.vault import Vault
from app.kernel.ids import new_id
from support.disk import do_not_wait_for_the_disk
from support.guards import GuardDesk
from support.served import Served
from support.world import World, open_gateway


@pytest.fixture(scope="module")
def served(
    module_database: Database, vault: Vault, tmp_path_factory: pytest.TempPathFactory
) -> Served:
    """A gateway with one tenant, made once for a module and engine."""
    do_not_wait_for_the_disk(module_database)
    world = World(module_database, vault)
    tenant = world.tenant(world.organization())
    gateway = open_gateway(module_database, vault, tmp_path_factory.mktemp("instance"))
    return Served(gateway, world, tenant)


@pytest.fixture
def desk(served: Served) -> GuardDesk:
    """The guards of a workspace of this test alone, which may reach the US, Morocco and Brazil."""
    destinations = dict.fromkeys(("US", "MA", "BR"), "allowed")
    organization_id = served.world.organization(f"Acme {new_id()}")
    tenant = served.world.tenant(organization_id, destinations=destinations, guarded=True)
    return GuardDesk(served.gateway, tenant, served.world)
