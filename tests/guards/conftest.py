"""Fixtures of the tests about guards: a database for a module, a workspace for each test."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.db.encryption import Cipher
from app.kernel.ids import new_id
from support.factories import open_gateway
from support.guards import GuardsClient
from support.served import Served
from support.time import ManualClock


@pytest.fixture
def guards(served: Served) -> GuardsClient:
    """The guards of a workspace of this test alone, which may reach the US, Morocco and Brazil."""
    destinations = dict.fromkeys(("US", "MA", "BR"), "allowed")
    organization_id = served.factory.organization(f"Acme {new_id()}")
    tenant = served.factory.tenant(organization_id, destinations=destinations, guarded=True)
    return GuardsClient(served.gateway, tenant, served.factory)


@pytest.fixture
def clock() -> ManualClock:
    """The time of `timed`; it stands at the border of an hour until a test moves it."""
    return ManualClock(datetime(2026, 1, 31, 12, tzinfo=UTC))


@pytest.fixture
def timed(
    served: Served, guards: GuardsClient, cipher: Cipher, tmp_path: Path, clock: ManualClock
) -> GuardsClient:
    """The desk in a time that the test moves."""
    gateway = open_gateway(served.factory.database, cipher, tmp_path, clock=clock.clock())
    return GuardsClient(gateway, guards.tenant, guards.factory)
