"""What a message costs, whether it converted, and what all of them add up to."""

import csv
import io
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.access.principal import Role
from app.access.tables import access_keys
from app.messages.statistics.aggregate import AggregateMessages
from app.messages.tables import messages
from app.prices.price_file import read_prices
from app.prices.store import import_prices
from support.each import each
from support.factories import BR_NUMBER, US_NUMBER, Factory, Gateway, Tenant
from support.plans import statements_of

GB_NUMBER = "+447400123456"
PRICES = (
    "country,mccmnc,price,currency,valid_from\nUS,,0.0500,USD,2026-01-01\nGB,,0.3,USD,2026-01-01\n"
)


def store_prices(factory: Factory, text: str = PRICES) -> None:
    with factory.database.writing() as c:
        import_prices(c, read_prices(text), factory.now)


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
def test_feedback_is_stored_once_and_the_last_one_counts(
    gateway: Gateway, tenant: Tenant, factory: Factory
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


def test_the_estimate_is_stored_with_the_send(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """A later price changes nothing. Break: compute the estimate when it is asked for."""
    before = sent(gateway, tenant)
    store_prices(factory)
    text = "x" * 161
    message_id = sent(gateway, tenant, message=text)
    store_prices(factory, PRICES.replace("0.0500", "0.9000"))

    assert price_of(gateway, tenant, before) == {
        "currency": None,
        "segments": 1,
        "estimated": None,
        "actual": None,
    }
    assert price_of(gateway, tenant, message_id) == {
        "currency": "USD",
        "segments": 2,
        "estimated": "0.1000",
        "actual": None,
    }
    assert price_of(gateway, tenant, sent(gateway, tenant))["estimated"] == "0.9000"


@pytest.mark.one_engine
def test_unchanged_prices_cost_no_query(gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
    """Break: load the table for each send."""
    store_prices(factory)
    sent(gateway, tenant)
    with statements_of(factory.database) as seen:
        sent(gateway, tenant)
    assert seen
    assert [text for text, _ in seen if "FROM prices" in text] == []


@pytest.mark.one_engine
@each(
    "reported, expected",
    [
        (("-0.01850", "USD"), {"currency": "USD", "estimated": "0.0500", "actual": "0.0185"}),
        (("0", "USD"), {"currency": "USD", "estimated": "0.0500", "actual": "0.0000"}),
        (("-0.02", "EUR"), {"currency": "EUR", "estimated": None, "actual": "0.0200"}),
        ((None, None), {"currency": "USD", "estimated": "0.0500", "actual": None}),
    ],
)
def test_the_actual_price_is_what_twilio_charged(
    gateway: Gateway, tenant: Tenant, factory: Factory, reported: Any, expected: Any
) -> None:
    store_prices(factory)
    message_id = sent(gateway, tenant)
    with factory.database.writing() as c:
        found = messages.c.id == UUID(message_id)
        c.execute(update(messages).where(found).values(price=reported[0], price_unit=reported[1]))

    assert price_of(gateway, tenant, message_id) == {"segments": 1} | expected


def test_usage_adds_up_by_country_use_case_and_key(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: leave the key out of the refusals, or the actual price out of the cost."""
    store_prices(factory)
    delivered = sent(gateway, tenant)
    sent(gateway, tenant, message="x" * 161)
    sent(gateway, tenant, role=Role.ADMIN)
    assert gateway.send(tenant, to=BR_NUMBER).status_code == 422
    assert gateway.send(tenant, to="+12").status_code == 422
    path = f"/v1/sms/{delivered}/feedback"
    assert gateway.post(path, {"converted": True}, key=tenant.keys[Role.SENDER]).status_code == 200
    with factory.database.writing() as c:
        charged = {"status": "delivered", "price": "-0.0400", "price_unit": "USD"}
        c.execute(update(messages).where(messages.c.id == UUID(delivered)).values(charged))
    assert AggregateMessages(gateway.services.database, gateway.services.clock).run_once() == 0
    keys = {row["role"]: str(row["id"]) for row in factory.rows(access_keys)}

    report = usage(gateway, tenant.keys[Role.VIEWER])

    def row(country: str | None, role: str, **values: Any) -> dict[str, Any]:
        zero = (
            *("messages", "segments", "delivered", "undelivered", "failed", "converted"),
            "refused",
        )
        return {
            "day": gateway.services.clock.now().date().isoformat(),
            "country": country,
            "use_case_id": str(tenant.use_case_id),
            "access_key_id": keys[role],
            **dict.fromkeys(zero, 0),
            "cost": "0.0000",
            "saved": "0.0000",
            "currency": "USD",
        } | values

    sends = {"delivered": 1, "converted": 1, "cost": "0.1400"}
    expected = [
        row(None, "sender", refused=1),
        row("BR", "sender", refused=1, saved="0.3000"),
        row("US", "sender", messages=2, segments=3, **sends),
        row("US", "admin", messages=1, segments=1, cost="0.0500"),
    ]
    assert sorted(report["items"], key=str) == sorted(expected, key=str)
    assert report["counted_until"] is not None
    totals = usage(gateway, tenant.keys[Role.VIEWER], "?group_by=workspace")["items"]
    assert [(one["messages"], one["refused"], one["cost"], one["saved"]) for one in totals] == [
        (3, 2, "0.1900", "0.3000")
    ]


@pytest.mark.one_engine
def test_usage_has_one_row_for_a_group_in_one_currency(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: leave `without_price` a row: each country stands twice while prices are unknown."""
    sent(gateway, tenant)
    for to in (BR_NUMBER, GB_NUMBER):
        gateway.send(tenant, to=to)
    store_prices(factory)
    sent(gateway, tenant)
    gateway.send(tenant, to=BR_NUMBER)
    AggregateMessages(gateway.services.database, gateway.services.clock).run_once()
    key = tenant.keys[Role.VIEWER]
    names = ("country", "messages", "refused", "cost", "saved", "currency")
    found = [
        tuple(one[name] for name in names)
        for one in usage(gateway, key, "?group_by=country")["items"]
    ]
    assert found == [
        ("BR", 0, 2, "0.0000", "0.3000", "USD"),
        ("GB", 0, 1, None, None, None),
        ("US", 2, 0, "0.0500", "0.0000", "USD"),
    ]
    with factory.database.writing() as c:
        charged = {"price": "-0.0400", "price_unit": "EUR"}
        c.execute(update(messages).where(messages.c.estimated_price.is_(None)).values(charged))
    AggregateMessages(gateway.services.database, gateway.services.clock).run_once()
    found = [
        tuple(one[name] for name in names[1:])
        for one in usage(gateway, key, "?group_by=workspace")["items"]
    ]
    assert found == [
        (1, 2, "0.0400", "0.0000", "EUR"),
        (1, 1, "0.0500", "0.3000", "USD"),
    ]


@pytest.mark.one_engine
def test_usage_has_pages_and_csv(gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
    store_prices(factory)
    for to in (US_NUMBER, BR_NUMBER, GB_NUMBER):
        gateway.send(tenant, to=to)
    AggregateMessages(gateway.services.database, gateway.services.clock).run_once()
    key = tenant.keys[Role.VIEWER]

    pages, token = [], ""
    while token is not None:
        more = f"&page_token={token}" if token else ""
        page = usage(gateway, key, f"?group_by=country&limit=1{more}")
        pages.append([one["country"] for one in page["items"]])
        token = page["next_page_token"]
    assert pages == [["BR"], ["GB"], ["US"]]

    as_csv = gateway.get("/v1/usage?group_by=country&format=csv", key=key)
    assert as_csv.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert [(one["country"], one["messages"], one["saved"]) for one in rows] == [
        ("BR", "0", "0.3000"),
        ("GB", "0", "0.3000"),
        ("US", "1", "0.0000"),
    ]
    assert gateway.get("/v1/usage", key=key, Accept="text/csv").mimetype == "text/csv"


@pytest.mark.one_engine
@each(
    "query, path",
    [
        ("?from=2026-01-02&to=2026-01-01", "$.from"),
        ("?from=2025-01-01&to=2026-01-01", "$.from"),
        ("?from=yesterday", "$.from"),
        ("?group_by=day,day", "$.group_by"),
        ("?group_by=hour", "$.group_by"),
        ("?format=xml", "$.format"),
        ("?limit=0", "$.limit"),
        ("?page_token=%21", "$.page_token"),
    ],
)
def test_wrong_queries_of_usage_are_named(
    gateway: Gateway, tenant: Tenant, query: str, path: str
) -> None:
    answer = gateway.get(f"/v1/usage{query}", key=tenant.keys[Role.VIEWER])
    assert (answer.status_code, list(answer.get_json()["details"])) == (422, [path])
