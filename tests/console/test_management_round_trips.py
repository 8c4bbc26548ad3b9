"""What the pages of use cases, opt-outs and webhooks cost PostgreSQL: four round trips and one a panel."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.access.principal import Role
from app.db.encryption import Cipher
from app.db.engine import Database
from support.console import signed_in
from support.factories import Factory, Gateway, Tenant, open_gateway
from support.round_trips import counting_round_trips
from support.time import ManualClock
from support.webhooks import Hooks

UNTIL_PREPARED = 7
BASE = 4


@pytest.fixture
def served(
    fresh_postgres_url: str, cipher: Cipher, tmp_path: Path
) -> Iterator[tuple[Gateway, Factory, Tenant]]:
    """A gateway on PostgreSQL with one connection, and a tenant in it."""
    database = Database(fresh_postgres_url, pool_size=1)
    factory = Factory(database, cipher)
    yield open_gateway(database, cipher, tmp_path), factory, factory.tenant(factory.organization())
    database.close()


def test_a_page_costs_four_round_trips_and_one_for_each_panel(
    served: tuple[Gateway, Factory, Tenant],
) -> None:
    gateway, factory, tenant = served
    hooks = Hooks(factory, ManualClock())
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    for _ in range(30):
        hooks.event(tenant.workspace_id)
    hooks.drain()
    hooks.move_to(hooks.clock.at + timedelta(minutes=1))
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    pages = {
        "/console/use-cases": 1,  # the list
        f"/console/use-cases/{tenant.use_case_id}": 2,  # what it is, its senders
        "/console/opt-outs": 2,  # the search with its use cases, the list
        "/console/webhooks": 2,  # the list, the health of each
        f"/console/webhooks/{endpoint_id}": 3,  # its health, its deliveries, their attempts
    }
    with counting_round_trips(factory.database) as trips:
        for path, panels in pages.items():
            for _ in range(UNTIL_PREPARED):
                assert console.get(path).status_code == 200
            trips.take()
            page = console.get(path)
            assert trips.take() <= BASE + panels, path
            assert len(page.data) < 40_000, path
