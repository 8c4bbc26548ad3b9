"""Fixtures of the tests about destinations: a database for a module, tenants for each test."""

from pathlib import Path

import pytest

from app.db.encryption import Cipher
from app.kernel.ids import new_id
from support.destinations import PolicyClient
from support.factories import Tenant, open_gateway
from support.served import Served
from support.time import ManualClock


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
def timed_policy(
    served: Served, newcomer: Tenant, cipher: Cipher, tmp_path: Path, clock: ManualClock
) -> PolicyClient:
    """The destinations of `newcomer` in a time that the test moves."""
    gateway = open_gateway(served.factory.database, cipher, tmp_path, clock=clock.clock())
    return PolicyClient(gateway, newcomer, served.factory)
