"""A gateway whose time the test moves: sessions, codes and limits end by it."""

from collections.abc import Iterator

import pytest

from support.factories import Gateway
from support.identity_provider import Provider, running_provider


@pytest.fixture
def gateway(timed_gateway: Gateway) -> Gateway:
    return timed_gateway


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running
