"""What pages cost PostgreSQL, counted on the wire, and how long they are.

Three round trips are the session's, the user's, and that of the alerts of each whole page; each
panel takes one more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from app.access.principal import Role
from app.db.encryption import Cipher
from app.db.engine import Database
from support.console import Console, make_user, open_console, signed_in
from support.factories import Factory, Gateway, Tenant, open_gateway
from support.round_trips import RoundTrips, counting_round_trips
from support.time import ManualClock
from support.webhooks import Hooks

UNTIL_PREPARED = 7
GUARD = 2
PAGE = GUARD + 1
MANY = 45
MOST_BYTES = 40_000


@dataclass(frozen=True)
class Counted:
    """A gateway on PostgreSQL with one connection, a tenant in it, and what is asked of the database."""

    gateway: Gateway
    factory: Factory
    tenant: Tenant
    trips: RoundTrips

    def cost(self, console: Console, path: str) -> int:
        """What a visit costs once its statements are prepared."""
        for _ in range(UNTIL_PREPARED):
            assert console.get(path).status_code in {200, 204}
        self.trips.take()
        page = console.get(path)
        assert len(page.data) < MOST_BYTES, path
        return self.trips.take()


@pytest.fixture
def counted(fresh_postgres_url: str, cipher: Cipher, tmp_path: Path) -> Iterator[Counted]:
    database = Database(fresh_postgres_url, pool_size=1)
    factory = Factory(database, cipher)
    tenant = factory.tenant(factory.organization())
    with counting_round_trips(database) as trips:
        yield Counted(open_gateway(database, cipher, tmp_path), factory, tenant, trips)
    database.close()


def test_pages_about_messages_take_one_for_each_panel(counted: Counted) -> None:
    tenant = counted.tenant
    console = signed_in(counted.gateway, tenant.keys[Role.OWNER])
    counted.gateway.send(tenant, to="+33612345678")
    message = f"/console/messages/{counted.gateway.send(tenant).json['id']}"
    number = "/console/try?number=%2B12025550123"
    expected = {
        "/console/messages?status=failed&country=US": PAGE + 2,
        "/console/refusals?country=US": PAGE + 2,
        message: PAGE + 3,  # itself, its reports, the names
        f"{message}/life?seen=x": GUARD + 2,
        "/console/try": PAGE + 1,
        number: PAGE + 3,  # the policy, the permissions, the names
        f"{number}&use_case_id={tenant.use_case_id}": PAGE + 3,
        "/console": PAGE + 8,
        "/console/destinations": PAGE
        + 5,  # the workspace; the list by three of one revision; the map
    }
    assert {path: counted.cost(console, path) for path in expected} == expected


def test_a_test_is_sent_in_three_round_trips(counted: Counted) -> None:
    console = signed_in(counted.gateway, counted.tenant.keys[Role.OWNER])
    form = {
        "csrf_token": console.token("/console/try"),
        "use_case_id": str(counted.tenant.use_case_id),
        "to_phone_number": "+12025550123",
        "message": "test",
    }
    found = []
    for place in range(UNTIL_PREPARED + 2):
        counted.trips.take()
        nonce = {"nonce": f"00000000-0000-4000-8000-00000000000{place}"}
        answer = console.post_without_token("/console/try", form | nonce)
        assert answer.status_code == 303
        found.append(counted.trips.take())
    assert found[UNTIL_PREPARED:] == [GUARD + 3] * 2


def test_pages_of_what_is_managed_take_one_for_each_panel(counted: Counted) -> None:
    tenant = counted.tenant
    hooks = Hooks(counted.factory, ManualClock())
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    for _ in range(30):
        hooks.event(tenant.workspace_id)
    hooks.drain()
    hooks.move_to(hooks.clock.at + timedelta(minutes=1))
    console = signed_in(counted.gateway, tenant.keys[Role.ADMIN])
    most = {
        "/console/use-cases": 1,  # the list
        f"/console/use-cases/{tenant.use_case_id}": 2,  # what it is, its senders
        "/console/opt-outs": 2,  # the search with its use cases, the list
        "/console/webhooks": 2,  # the list, the health of each
        f"/console/webhooks/{endpoint_id}": 3,  # its health, its deliveries, their attempts
    }
    costs = {path: counted.cost(console, path) for path in most}
    assert {path for path, cost in costs.items() if cost > PAGE + 1 + most[path]} == set()


def test_pages_of_owners_take_few_with_more_than_a_page_of_everything(counted: Counted) -> None:
    factory, tenant = counted.factory, counted.tenant
    for place in range(MANY):
        roles = {None: Role.OWNER, tenant.workspace_id: Role.ADMIN}
        user_id = make_user(factory, tenant.organization_id, roles, f"{place}@example.com")
    for _ in range(MANY // len(Role)):
        factory.keys(tenant.organization_id, tenant.workspace_id)
    console = open_console(counted.gateway)
    console.sign_in("0@example.com")
    # The pages of keys and of a workspace have two panels.
    expected = {
        "/console/access-keys": 5,
        "/console/workspaces": 4,
        "/console/workspaces/new": 3,
        f"/console/workspaces/{tenant.workspace_id}": 5,
        "/console/people": 4,
        "/console/people/new": 3,
        f"/console/people/{user_id}": 4,
        "/console/audit": 4,
    }
    assert {path: counted.cost(console, path) for path in expected} == expected
