"""What the pages of keys, workspaces, people and the audit cost the database, and how long they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.access.principal import Role
from app.db.encryption import Cipher
from app.db.engine import Database
from support.console import Console, make_user, open_console
from support.factories import Factory, Tenant, open_gateway
from support.round_trips import counting_round_trips

UNTIL_PREPARED = 7
# Who is signed in, where they may go, the open alerts, and the page's own; the pages of keys and of a workspace have two panels.
PAGES = {
    "access-keys": 5,
    "workspaces": 4,
    "workspaces/new": 3,
    "workspaces/{workspace_id}": 5,
    "people": 4,
    "people/new": 3,
    "people/{user_id}": 4,
    "audit": 4,
}
MANY = 45
MOST_BYTES = 40_000


@pytest.fixture
def visit(
    fresh_postgres_url: str, cipher: Cipher, tmp_path: Path
) -> Iterator[tuple[Console, Database, dict[str, str]]]:
    """An owner's window on a PostgreSQL that holds more than a page of everything."""
    database = Database(fresh_postgres_url, pool_size=1)
    factory = Factory(database, cipher)
    tenant: Tenant = factory.tenant(factory.organization())
    for place in range(MANY):
        roles = {None: Role.OWNER, tenant.workspace_id: Role.ADMIN}
        user_id = make_user(factory, tenant.organization_id, roles, f"{place}@example.com")
    for _ in range(MANY // len(Role)):
        factory.keys(tenant.organization_id, tenant.workspace_id)
    console = open_console(open_gateway(database, cipher, tmp_path))
    console.sign_in("0@example.com")
    yield (console, database, {"workspace_id": str(tenant.workspace_id), "user_id": str(user_id)})
    database.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_takes_few_round_trips_and_is_small(
    visit: tuple[Console, Database, dict[str, str]], page: str
) -> None:
    console, database, ids = visit
    path = f"/console/{page}".format(**ids)
    with counting_round_trips(database) as trips:
        for _ in range(UNTIL_PREPARED):
            trips.take()
            answer = console.get(path)
        assert (answer.status_code, trips.take()) == (200, PAGES[page])
    assert len(answer.data) < MOST_BYTES
