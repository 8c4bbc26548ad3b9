"""What the pages of keys, workspaces, people and the audit cost the database, and how long they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.access.roles import Role
from app.db.engine import Database
from app.db.vault import Vault
from support.console import Window, make_person, open_window
from support.round_trips import counting_round_trips
from support.world import Tenant, World, open_gateway

UNTIL_PREPARED = 7
# Who is signed in, where they may go, and the page's own; the page of a workspace has two panels.
PAGES = {
    "access-keys": 3,
    "workspaces": 3,
    "workspaces/new": 2,
    "workspaces/{workspace_id}": 4,
    "people": 3,
    "people/new": 2,
    "people/{user_id}": 3,
    "audit": 3,
}
MANY = 45
MOST_BYTES = 40_000


@pytest.fixture
def visit(
    fresh_postgres_url: str, vault: Vault, tmp_path: Path
) -> Iterator[tuple[Window, Database, dict[str, str]]]:
    """An owner's window on a PostgreSQL that holds more than a page of everything."""
    database = Database(fresh_postgres_url, pool_size=1)
    world = World(database, vault)
    tenant: Tenant = world.tenant(world.organization())
    for place in range(MANY):
        roles = {None: Role.OWNER, tenant.workspace_id: Role.ADMIN}
        user_id = make_person(world, tenant.organization_id, roles, f"{place}@example.com")
    for _ in range(MANY // len(Role)):
        world.keys(tenant.organization_id, tenant.workspace_id)
    window = open_window(open_gateway(database, vault, tmp_path))
    window.sign_in("0@example.com")
    yield window, database, {"workspace_id": str(tenant.workspace_id), "user_id": str(user_id)}
    database.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_takes_few_round_trips_and_is_small(
    visit: tuple[Window, Database, dict[str, str]], page: str
) -> None:
    window, database, ids = visit
    path = f"/console/{page}".format(**ids)
    with counting_round_trips(database) as trips:
        for _ in range(UNTIL_PREPARED):
            trips.take()
            answer = window.get(path)
        assert (answer.status_code, trips.take()) == (200, PAGES[page])
    assert len(answer.data) < MOST_BYTES
