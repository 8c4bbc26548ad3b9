"""Fixtures of the tests about HTTP."""

from pathlib import Path

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.ids import new_id
from support.error_cases import TenantGateway
from support.factories import Factory, Gateway, open_gateway
from support.routes import answer_checks
from support.served import Served


@pytest.fixture(scope="module")
def served(
    module_database: Database, cipher: Cipher, tmp_path_factory: pytest.TempPathFactory
) -> Served:
    """A gateway with one tenant, made once for a module and engine."""
    factory = Factory(module_database, cipher)
    tenant = factory.tenant(factory.organization())
    gateway = open_gateway(module_database, cipher, tmp_path_factory.mktemp("instance"))
    answer_checks(gateway)
    return Served(gateway, factory, tenant)


@pytest.fixture
def tenant_gateway(module_database: Database, cipher: Cipher, tmp_path: Path) -> TenantGateway:
    """A gateway and an organization of this test's own, in a database that the module shares."""
    factory = Factory(module_database, cipher)
    tenant = factory.tenant(factory.organization(f"Acme {new_id()}"))
    return TenantGateway(open_gateway(module_database, cipher, tmp_path), factory, tenant)


@pytest.fixture
def without_database(engine_name: str, cipher: Cipher, tmp_path: Path) -> Gateway:
    """A gateway whose database is not there."""
    nowhere = tmp_path / "nowhere"
    url = {
        "sqlite": f"sqlite:///{nowhere}/borderpost.db",
        "postgresql": f"postgresql+psycopg://postgres@/borderpost?host={nowhere}",
    }[engine_name]
    return open_gateway(Database(url), cipher, tmp_path)
