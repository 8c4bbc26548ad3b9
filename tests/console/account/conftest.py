"""A gateway whose time the test moves: sessions, codes and limits end by it."""

import pytest

from support.factories import Gateway


@pytest.fixture
def gateway(timed_gateway: Gateway) -> Gateway:
    return timed_gateway
