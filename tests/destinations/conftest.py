"""Fixtures of the tests about destinations: a database for a module, tenants for each test."""

from pathlib import Path

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.ids import new_id
from support.destinations import PolicyClient
from support.disk import do_not_wait_for_the_disk
from support.factories import Factory, Tenant, open_gateway
from support.served import Served
from support.time import ManualClock


@pytest.fixture(scope="module")
def served(
    module_database: Database, cipher: Cipher, tmp_path_factory: pytest.TempPathFactory
) -> Served:
    """A gateway with one tenant, made once for a module and engine."""
    do_not_wait_for_the_disk(module_database)
    factory = Factory(module_database, cipher)
    tenant = factory.tenant(factory.organization())
    gateway = open_gateway(module_database, cipher, tmp_path_factory.mktemp("instance"))
    return Served(gateway, factory, tenant)


@pytest.fixture
def newcomer(served: Served) -> Tenant:
    """A workspace of this test alone that may reach the US, in an organization of its own."""
    return served.factory.tenant(served.factory.organization(f"Acme {new_id()}"))


@pytest.fixture
def policy(served: Served, newcomer: Tenant) -> PolicyClient:
    """The destinations of `newcomer`; the provider has not been asked for anything yet."""
    served.gateway.twilio.script.clear()
    served.gateway.twilio.calls.clear()
    return PolicyClient(served.gateway, newcomer, served.factory)


@pytest.fixture
def clock() -> ManualClock:
    """The time of `timed_policy`; it stands until a test moves it."""
    return ManualClock()


@pytest.fixture
def timed_policy(
    served: Served, newcomer: Tenant, cipher: Cipher, tmp_path: Path, clock: ManualClock
) -> PolicyClient:
    """The destinations of `newcomer` in a time that the test moves."""
    gateway = open_gateway(served.factory.database, cipher, tmp_path, clock=clock.clock())
    return PolicyClient(gateway, newcomer, served.factory)
