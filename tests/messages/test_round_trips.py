"""What a send and a callback cost the database: counted on the wire of PostgreSQL.

psycopg prepares a statement on its fifth use by a connection, once and with a round trip of its own;
what is counted is what every later request costs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from twilio.http.response import Response

from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.unavailable import holds_connection
from support.factories import BR_NUMBER, Factory, Gateway, Tenant, open_gateway
from support.fake_twilio import Call, accepted, refused
from support.round_trips import RoundTrips, counting_round_trips

UNTIL_PREPARED = 7


@pytest.fixture
def served(
    fresh_postgres_url: str, cipher: Cipher, tmp_path: Path
) -> Iterator[tuple[Gateway, Tenant]]:
    """A gateway on PostgreSQL with one connection, and a tenant in it."""
    database = Database(fresh_postgres_url, pool_size=1)
    factory = Factory(database, cipher)
    yield (
        open_gateway(database, cipher, tmp_path),
        factory.tenant(factory.organization(), guarded=True),
    )
    database.close()


@pytest.fixture
def trips(served: tuple[Gateway, Tenant]) -> Iterator[RoundTrips]:
    """The round trips of that gateway."""
    with counting_round_trips(served[0].services.database) as found:
        yield found


def test_the_counter_sees_the_begin_and_the_commit_of_a_transaction(
    served: tuple[Gateway, Tenant], trips: RoundTrips
) -> None:
    database = served[0].services.database
    with database.writing() as connection:
        connection.execute(text("SELECT 1"))
    assert trips.take() == 3
    with database.reading() as connection:
        connection.execute(text("SELECT 1"))
        connection.execute(text("SELECT :two"), {"two": 2})
    assert trips.take() == 2


@pytest.mark.parametrize("with_key", [False, True])
def test_a_send_makes_three_round_trips(
    served: tuple[Gateway, Tenant], trips: RoundTrips, with_key: bool
) -> None:
    gateway, tenant = served
    found = []
    for place in range(UNTIL_PREPARED + 3):
        headers = {"Idempotency_Key": f"key {place}"} if with_key else {}
        assert gateway.send(tenant, **headers).status_code == 201
        found.append(trips.take())
    assert found[UNTIL_PREPARED:] == [3, 3, 3]
    assert found[2:4] == [3, 3]  # the second one prepares its statements


def test_a_blocked_send_makes_two_round_trips(
    served: tuple[Gateway, Tenant], trips: RoundTrips
) -> None:
    """Break: open a transaction for the refusal."""
    gateway, tenant = served
    found = []
    for _ in range(UNTIL_PREPARED + 3):
        assert gateway.send(tenant, to=BR_NUMBER).status_code == 422
        found.append(trips.take())
    assert found[UNTIL_PREPARED:] == [2, 2, 2]


def test_a_replay_makes_one_round_trip(served: tuple[Gateway, Tenant], trips: RoundTrips) -> None:
    gateway, tenant = served
    for _ in range(UNTIL_PREPARED):
        gateway.send(tenant, Idempotency_Key="k")
    trips.take()
    assert gateway.send(tenant, Idempotency_Key="k").headers["Idempotent-Replayed"] == "true"
    assert trips.take() == 1


def test_a_callback_that_moves_its_message_makes_one_round_trip_and_another_at_most_two(
    served: tuple[Gateway, Tenant], trips: RoundTrips
) -> None:
    gateway, tenant = served
    sent = gateway.send(tenant).json
    trips.take()
    words = ["queued", "sent", "delivered", "sent", "failed", "delivered", "delivered", "queued"]
    found = []
    for word in words * 3:
        assert gateway.callback(sent["id"], sent["message_sid"], word).status_code == 204
        found.append(trips.take())
    assert found[:2] == [2, 1]  # the first one also reads the tokens of the account
    # `queued` never moves a message; the others are first tried as if they did.
    assert found[2 * len(words) :] == [1 if word == "queued" else 2 for word in words]


def test_a_callback_that_names_no_id_makes_one_round_trip_too(
    served: tuple[Gateway, Tenant], trips: RoundTrips
) -> None:
    gateway, tenant = served
    sent = gateway.send(tenant).json
    found = []
    for _ in range(UNTIL_PREPARED + 2):
        trips.take()
        assert gateway.callback(None, sent["message_sid"], "sent").status_code == 204
        found.append(trips.take())
    assert found[UNTIL_PREPARED:] == [1, 1]


@pytest.mark.parametrize("answer", [accepted(), refused(21408), Response(500, "")])
def test_no_connection_is_held_during_the_provider_call(
    gateway: Gateway, tenant: Tenant, answer: Response
) -> None:
    held = []

    def create(_call: Call) -> Response:
        held.append(holds_connection())
        return answer

    gateway.twilio.script.append(create)
    gateway.send(tenant, Idempotency_Key="k")
    assert held == [False]


def test_no_transaction_is_open_during_the_provider_call(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    seen: list[str] = []
    engine = factory.database.engine
    names = ("begin", "commit", "rollback")

    def note(name: str) -> Any:
        return lambda *_: seen.append(name)

    listeners = {name: note(name) for name in names}
    for name in names:
        event.listen(engine, name, listeners[name])

    def create(_call: Call) -> Response:
        seen.append("call")
        return accepted()

    gateway.twilio.script.append(create)
    gateway.send(tenant)
    for name in names:
        event.remove(engine, name, listeners[name])
    before = seen[: seen.index("call")]
    assert before.count("begin") == before.count("commit") + before.count("rollback")
