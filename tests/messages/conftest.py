"""Fixtures of the tests about sending and tracking."""

from pathlib import Path

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from support.factories import Gateway, open_gateway
from support.replace_services import replace_services
from support.time import FakePace, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """The time of `timed_gateway`; it stands until a test moves it."""
    return ManualClock()


@pytest.fixture
def timed_gateway(
    database: Database, cipher: Cipher, tmp_path: Path, clock: ManualClock
) -> Gateway:
    """A gateway whose time the test moves, on each engine."""
    return open_gateway(database, cipher, tmp_path, clock=clock.clock())


@pytest.fixture
def pace(gateway: Gateway) -> FakePace:
    """Retries of `gateway` take no time."""
    found = FakePace()
    replace_services(gateway, pace=found.pace())
    return found
