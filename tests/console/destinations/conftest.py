"""Fixtures of the tests of Manage Destinations."""

import pytest

from support.destinations import PolicyClient
from support.factories import Factory, Gateway, Tenant


@pytest.fixture
def policy(gateway: Gateway, tenant: Tenant, factory: Factory) -> PolicyClient:
    """The workspace's destinations, as its other users change them."""
    return PolicyClient(gateway, tenant, factory)
