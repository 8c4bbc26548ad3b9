"""What a message costs, whether it converted, and what all of them add up to."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.access.roles import Role
from app.messages.billing import Conversions, load_conversions
from app.messages.tables import messages
from app.prices.price_file import read_prices
from app.prices.store import import_prices
from support.each import each
from support.world import Gateway, Tenant, World

GB_NUMBER = "+447400123456"
PRICES = (
    "country,mccmnc,price,currency,valid_from\nUS,,0.0500,USD,2026-01-01\nGB,,0.3,USD,2026-01-01\n"
)


def store_prices(world: World, text: str = PRICES) -> None:
    with world.database.writing() as c:
        import_prices(c, read_prices(text), world.now)


def price_of(gateway: Gateway, tenant: Tenant, message_id: str) -> Any:
    answer = gateway.get(f"/v1/sms/{message_id}/price", key=tenant.keys[Role.VIEWER])
    assert answer.status_code == 200
    return answer.get_json()


def sent(gateway: Gateway, tenant: Tenant, **given: Any) -> str:
    answer = gateway.send(tenant, **given)
    assert answer.status_code == 201, answer.get_json()
    return str(answer.get_json()["id"])


def usage(gateway: Gateway, key: str, query: str = "") -> Any:
    answer = gateway.get(f"/v1/usage{query}", key=key)
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


@pytest.mark.one_engine
def test_feedback_is_stored_once_and_the_last_one_stands(
    gateway: Gateway, tenant: Tenant, world: World
) -> None:
    """Break: write the time with each repeat."""
    message_id = sent(gateway, tenant)

    def give(*, converted: bool) -> Any:
        path = f"/v1/sms/{message_id}/feedback"
        answer = gateway.post(path, {"converted": converted}, key=tenant.keys[Role.SENDER])
        assert answer.status_code == 200
        return answer.get_json()

    first = give(converted=True)
    assert first == {
        "message_id": message_id,
        "converted": True,
        "converted_at": first["converted_at"],
    }
    assert give(converted=True) == first
    assert give(converted=False)["converted"] is False
    assert give(converted=True)["converted_at"] >= first["converted_at"]


@pytest.mark.one_engine
@each(
    "body, path",
    [({}, "$.converted"), ({"converted": "yes"}, "$.converted"), ({"converted": 1}, "$.converted")],
)
def test_wrong_feedback_is_named(
    gateway: Gateway, tenant: Tenant, body: dict[str, Any], path: str
) -> None:
    message_id = sent(gateway, tenant)
    answer = gateway.post(f"/v1/sms/{message_id}/feedback", body, key=tenant.keys[Role.SENDER])
    assert (answer.status_code, list(answer.get_json()["details"])) == (422, [path])


def test_conversions_of_a_range_are_counted(gateway: Gateway, tenant: Tenant, world: World) -> None:
    """What a guard asks that counts converted messages instead of delivered ones."""
    ids = [sent(gateway, tenant, to=f"+1202555012{digit}") for digit in range(5)]
    at = world.now
    with world.database.writing() as c:
        for place, message_id in enumerate(ids[:4]):
            done = {"status": "delivered", "delivered_at": at}
            if place == 3:
                done = {"status": "failed", "errored_at": at}
            found = messages.c.id == UUID(message_id)
            c.execute(update(messages).where(found).values(**done, converted=place == 0))
    with world.database.reading() as c:
        since = at - timedelta(hours=1)
        found = load_conversions(c, tenant.workspace_id, since, prefix="+1202555")
        other = load_conversions(c, tenant.workspace_id, since, country="CA")
    assert found == Conversions(ended=4, delivered=3, converted=1, with_feedback=4)
    assert other == Conversions(0, 0, 0, 0)
