"""Fixtures of the tests about HTTP."""

from pathlib import Path

import pytest

from app.db.engine import Database
from app.db.vault import Vault
from app.kernel.ids import new_id
from support.routes import answer_checks
from support.scene import Scene
from support.served import Served
from support.world import World, open_gateway


@pytest.fixture(scope="module")
def served(
    module_database: Database, vault: Vault, tmp_path_factory: pytest.TempPathFactory
) -> Served:
    """A gateway with one tenant, made once for a module and engine."""
    world = World(module_database, vault)
    tenant = world.tenant(world.organization())
    gateway = open_gateway(module_database, vault, tmp_path_factory.mktemp("instance"))
    answer_checks(gateway)
    return Served(gateway, world, tenant)


@pytest.fixture
def scene(module_database: Database, vault: Vault, tmp_path: Path) -> Scene:
    """A gateway and an organization of this test's own, in a database that the module shares."""
    world = World(module_database, vault)
    tenant = world.tenant(world.organization(f"Acme {new_id()}"))
    return Scene(open_gateway(module_database, vault, tmp_path), world, tenant)
