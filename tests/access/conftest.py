"""Fixtures of the tests about access."""

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.ids import new_id
from support.factories import Factory, Gateway, open_gateway
from support.related_tenants import RelatedTenants, Tenants
from support.routes import answer_checks


@pytest.fixture(scope="module")
def related_tenants(module_database: Database, cipher: Cipher) -> RelatedTenants:
    """Tenants that a module's tests look from; nothing of theirs is ever changed."""
    factory = Factory(module_database, cipher)
    acme, other = (factory.organization(name) for name in ("Acme", "Other"))
    return RelatedTenants(
        parent=factory.tenant(acme, "Parent"),
        sibling=factory.tenant(acme, "Sibling"),
        stranger=factory.tenant(other, "Stranger"),
        organization_keys=factory.keys(acme, None),
        strange_organization_keys=factory.keys(other, None),
    )


@pytest.fixture(scope="module")
def shared_gateway(
    module_database: Database, cipher: Cipher, tmp_path_factory: pytest.TempPathFactory
) -> Gateway:
    """The gateway of a module's tests."""
    gateway = open_gateway(module_database, cipher, tmp_path_factory.mktemp("instance"))
    answer_checks(gateway)
    return gateway


@pytest.fixture
def tenants(
    module_database: Database,
    cipher: Cipher,
    shared_gateway: Gateway,
    related_tenants: RelatedTenants,
) -> Tenants:
    """A tenant of this test's own, among its relatives."""
    factory = Factory(module_database, cipher)
    parent = related_tenants.parent
    own = factory.tenant(parent.organization_id, f"Own {new_id()}", parent_id=parent.workspace_id)
    shared_gateway.twilio.calls.clear()
    return Tenants(shared_gateway, factory, own, related_tenants)
