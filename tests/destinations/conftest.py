"""Fixtures of the tests about destinations: a database for a module, tenants for each test."""

from pathlib import Path

import pytest

from app.db.engine import Database
from app.db.vault import Vault
from app.kernel.ids import new_id
from support.destinations import Desk
from support.disk import do_not_wait_for_the_disk
from support.served import Served
from support.time import ManualClock
from support.world import Tenant, World, open_gateway


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
def newcomer(served: Served) -> Tenant:
    """A workspace of this test alone that may reach the US, in an organization of its own."""
    return served.world.tenant(served.world.organization(f"Acme {new_id()}"))


@pytest.fixture
def desk(served: Served, newcomer: Tenant) -> Desk:
    """The destinations of `newcomer`; the provider has not been asked for anything yet."""
    served.gateway.twilio.script.clear()
    served.gateway.twilio.calls.clear()
    return Desk(served.gateway, newcomer, served.world)


@pytest.fixture
def clock() -> ManualClock:
    """The time of `timed_desk`; it stands until a test moves it."""
    return ManualClock()


@pytest.fixture
def timed_desk(
    served: Served, newcomer: Tenant, vault: Vault, tmp_path: Path, clock: ManualClock
) -> Desk:
    """The destinations of `newcomer` in a time that the test moves."""
    gateway = open_gateway(served.world.database, vault, tmp_path, clock=clock.clock())
    return Desk(gateway, newcomer, served.world)
