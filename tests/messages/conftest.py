"""Fixtures of the tests about sending and tracking."""

from pathlib import Path

import pytest

from app.db.engine import Database
from app.db.vault import Vault
from support.rewire import rewire
from support.time import FakePace, ManualClock
from support.world import Gateway, open_gateway


@pytest.fixture
def clock() -> ManualClock:
    """The time of `timed_gateway`; it stands until a test moves it."""
    return ManualClock()


@pytest.fixture
def timed_gateway(database: Database, vault: Vault, tmp_path: Path, clock: ManualClock) -> Gateway:
    """A gateway whose time the test moves, on each engine."""
    return open_gateway(database, vault, tmp_path, clock=clock.clock())


@pytest.fixture
def pace(gateway: Gateway) -> FakePace:
    """Retries of `gateway` take no time."""
    found = FakePace()
    rewire(gateway, pace=found.pace())
    return found
