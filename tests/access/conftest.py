"""Fixtures of the tests about access."""

import pytest

from app.db.engine import Database
from app.db.vault import Vault
from app.kernel.ids import new_id
from support.family import Family, Relatives
from support.routes import answer_checks
from support.world import Gateway, World, open_gateway


@pytest.fixture(scope="module")
def relatives(module_database: Database, vault: Vault) -> Relatives:
    """Tenants that a module's tests look from; nothing of theirs is ever changed."""
    world = World(module_database, vault)
    acme, other = (world.organization(name) for name in ("Acme", "Other"))
    return Relatives(
        parent=world.tenant(acme, "Parent"),
        sibling=world.tenant(acme, "Sibling"),
        stranger=world.tenant(other, "Stranger"),
        organization_keys=world.keys(acme, None),
        strange_organization_keys=world.keys(other, None),
    )


@pytest.fixture(scope="module")
def shared_gateway(
    module_database: Database, vault: Vault, tmp_path_factory: pytest.TempPathFactory
) -> Gateway:
    """The gateway of a module's tests."""
    gateway = open_gateway(module_database, vault, tmp_path_factory.mktemp("instance"))
    answer_checks(gateway)
    return gateway


@pytest.fixture
def family(
    module_database: Database, vault: Vault, shared_gateway: Gateway, relatives: Relatives
) -> Family:
    """A tenant of this test's own, among its relatives."""
    world = World(module_database, vault)
    parent = relatives.parent
    own = world.tenant(parent.organization_id, f"Own {new_id()}", parent_id=parent.workspace_id)
    shared_gateway.twilio.calls.clear()
    return Family(shared_gateway, world, own, relatives)
