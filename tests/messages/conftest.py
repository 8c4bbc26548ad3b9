"""Fixtures of the tests about sending and tracking."""

import pytest

from support.factories import Gateway
from support.replace_services import replace_services
from support.time import FakePace


@pytest.fixture
def pace(gateway: Gateway) -> FakePace:
    """Retries of `gateway` take no time."""
    found = FakePace()
    replace_services(gateway, pace=found.pace())
    return found
