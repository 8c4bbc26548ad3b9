"""What the pages about messages cost the database: counted on the wire of PostgreSQL.

Two round trips are the session's and the user's, one is that of the alerts of each whole page;
each panel takes one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.access.principal import Role
from app.db.encryption import Cipher
from app.db.engine import Database
from support.console import Console, signed_in
from support.factories import Factory, Gateway, Tenant, open_gateway
from support.round_trips import RoundTrips, counting_round_trips

UNTIL_PREPARED = 7
GUARD = 2
PAGE = GUARD + 1


@pytest.fixture
def served(
    fresh_postgres_url: str, cipher: Cipher, tmp_path: Path
) -> Iterator[tuple[Gateway, Tenant]]:
    """A gateway on PostgreSQL with one connection, and a tenant in it."""
    database = Database(fresh_postgres_url, pool_size=1)
    factory = Factory(database, cipher)
    yield open_gateway(database, cipher, tmp_path), factory.tenant(factory.organization())
    database.close()


@pytest.fixture
def trips(served: tuple[Gateway, Tenant]) -> Iterator[RoundTrips]:
    """The round trips of that gateway."""
    with counting_round_trips(served[0].services.database) as found:
        yield found


@pytest.fixture
def console(served: tuple[Gateway, Tenant]) -> Console:
    gateway, tenant = served
    return signed_in(gateway, tenant.keys[Role.OWNER])


def cost(console: Console, trips: RoundTrips, path: str) -> int:
    """What a visit costs once its statements are prepared."""
    for _ in range(UNTIL_PREPARED):
        assert console.get(path).status_code in {200, 204}
    trips.take()
    console.get(path)
    return trips.take()


def test_the_lists_take_two_panels(console: Console, trips: RoundTrips) -> None:
    assert cost(console, trips, "/console/messages?status=failed&country=US") == PAGE + 2
    assert cost(console, trips, "/console/refusals?country=US") == PAGE + 2


def test_a_message_takes_itself_its_reports_and_the_names(
    served: tuple[Gateway, Tenant], console: Console, trips: RoundTrips
) -> None:
    gateway, tenant = served
    path = f"/console/messages/{gateway.send(tenant).json['id']}"
    assert cost(console, trips, path) == PAGE + 3
    assert cost(console, trips, f"{path}/life?seen=x") == GUARD + 2


def test_trying_a_number_takes_the_policy_the_gates_and_the_names(
    served: tuple[Gateway, Tenant], console: Console, trips: RoundTrips
) -> None:
    path = "/console/try"
    assert cost(console, trips, path) == PAGE + 1
    path += "?number=%2B12025550123"
    assert cost(console, trips, path) == PAGE + 3
    path += f"&use_case_id={served[1].use_case_id}"
    assert cost(console, trips, path) == PAGE + 3


def test_a_test_is_sent_in_three_round_trips(
    served: tuple[Gateway, Tenant], console: Console, trips: RoundTrips
) -> None:
    token = console.token("/console/try")
    found = []
    for place in range(UNTIL_PREPARED + 2):
        trips.take()
        answer = console.post_without_token(
            "/console/try",
            {
                "csrf_token": token,
                "nonce": f"00000000-0000-4000-8000-00000000000{place}",
                "use_case_id": str(served[1].use_case_id),
                "to_phone_number": "+12025550123",
                "message": "test",
            },
        )
        assert answer.status_code == 303
        found.append(trips.take())
    assert found[UNTIL_PREPARED:] == [GUARD + 3] * 2


def test_the_overview_takes_one_for_each_panel(
    served: tuple[Gateway, Tenant], console: Console, trips: RoundTrips
) -> None:
    gateway, tenant = served
    gateway.send(tenant)
    gateway.send(tenant, to="+33612345678")
    assert cost(console, trips, "/console") == PAGE + 8
