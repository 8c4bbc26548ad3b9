"""A family of tenants that look at each other's objects."""

from pathlib import Path

import pytest

from app.db.engine import Database
from app.db.vault import Vault
from app.kernel.ids import new_id
from support.family import Family
from support.world import World, open_gateway


@pytest.fixture
def family(module_database: Database, vault: Vault, tmp_path: Path) -> Family:
    """Two organizations of this test's own, in a database that the module shares."""
    world = World(module_database, vault)
    acme, other = (world.organization(f"{name} {new_id()}") for name in ("Acme", "Other"))
    parent = world.tenant(acme, "Parent")
    return Family(
        gateway=open_gateway(module_database, vault, tmp_path),
        world=world,
        parent=parent,
        own=world.tenant(acme, "Own", parent_id=parent.workspace_id),
        sibling=world.tenant(acme, "Sibling"),
        stranger=world.tenant(other, "Stranger"),
        organization_keys=world.keys(acme, None),
        strange_organization_keys=world.keys(other, None),
    )
