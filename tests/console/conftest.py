"""Fixtures of the tests of pages."""

import pytest

from app.access.principal import Role
from support.console import Console, signed_in
from support.factories import Gateway, Tenant


@pytest.fixture
def console(gateway: Gateway, tenant: Tenant) -> Console:
    """The window of an admin of the tenant."""
    return signed_in(gateway, tenant.keys[Role.ADMIN])
