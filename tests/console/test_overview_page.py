"""The overview: figures out of the counters, what needs a look, and what a new workspace is told."""

from datetime import timedelta
from html import unescape
from uuid import UUID

import pytest
from sqlalchemy import insert, update
from twilio.http.response import Response

from app.access.roles import Role
from app.db.heartbeats import beat, worker_heartbeats
from app.kernel.clock import Clock, utc_now
from app.messages.count import CountMessages
from app.messages.tables import message_counts, messages
from app.prices.price_file import read_prices
from app.prices.store import import_prices
from app.use_cases.tables import use_cases
from app.webhooks.tables import webhook_endpoints
from support.console import Window, make_person, open_window, signed_in
from support.months import write_message
from support.world import BR_NUMBER, Gateway, Tenant, World

MARKUP = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def window(gateway: Gateway, tenant: Tenant) -> Window:
    return signed_in(gateway, tenant.keys[Role.VIEWER])


def overview(window: Window) -> str:
    answer = window.get("/console")
    assert answer.status_code == 200
    return unescape(answer.text)


def count(world: World) -> None:
    while CountMessages(world.database, Clock()).run_once():
        pass


def test_a_new_workspace_is_told_what_to_do_first(tenant: Tenant, window: Window) -> None:
    shown = overview(window)
    assert "Send the first message" in shown
    assert "curl -s https://sms.example.com/v1/sms" in shown
    assert str(tenant.use_case_id) in shown
    assert 'href="/docs"' in shown
    assert 'href="/console/try"' in shown
    assert "<svg class=" not in shown


def test_sends_are_shown_as_they_were_counted(
    gateway: Gateway, tenant: Tenant, window: Window, world: World
) -> None:
    sent = [gateway.send(tenant).json for _ in range(4)]
    for message, word in zip(sent, ("delivered", "delivered", "failed"), strict=False):
        gateway.callback(message["id"], message["message_sid"], word)
    gateway.send(tenant, to=BR_NUMBER)
    shown = overview(window)
    assert "Not counted yet" in shown
    assert "Send the first message" not in shown
    count(world)
    shown = overview(window)
    today = utc_now().date().isoformat()
    cells = "".join(f'<td class="number">{number}</td>' for number in (2, 0, 1, 1))
    assert f'<th scope="row">{today}</th>{cells}' in shown
    assert "<dt>Sends in 30 days</dt><dd>4</dd>" in shown
    assert "66.7%" in shown
    assert 'href="/console/messages?country=US">United States</a>' in shown
    assert "Brazil" in shown
    assert shown.count('<div class="plot" hidden>') == shown.count("<summary>Show as table") == 3
    name = world.rows(use_cases)[0]["name"]
    for query, told in (
        ("period=24h", "Sends in 24 hours</dt><dd>4<"),
        ("period=90d&by=country", ">United States</th>"),
        ("period=7d&by=use_case", f">{name}</th>"),
    ):
        assert told in unescape(window.get(f"/console?{query}").text), query
    assert window.get("/console?period=1y").status_code == 422


def test_another_workspace_has_its_own_figures(
    gateway: Gateway, tenant: Tenant, window: Window, world: World
) -> None:
    sibling = world.tenant(tenant.organization_id, "sibling")
    gateway.send(sibling)
    count(world)
    assert "Send the first message" in overview(window)


def test_a_silent_worker_is_told(window: Window, world: World) -> None:
    assert "The worker has never reported." in overview(window)
    with world.database.writing() as c:
        beat(c, "one", utc_now())
    shown = overview(window)
    assert "The worker has" not in shown
    assert "running" in shown
    with world.database.writing() as c:
        c.execute(update(worker_heartbeats).values(at=utc_now() - timedelta(minutes=2)))
    assert "The worker has not reported since" in overview(window)


def test_what_is_unconfirmed_stuck_or_without_receipt_is_listed(
    gateway: Gateway, tenant: Tenant, window: Window, world: World
) -> None:
    gateway.twilio.script.append(Response(500, ""))
    unconfirmed = gateway.send(tenant).json["details"]["id"]
    fresh = gateway.send(tenant).json["id"]
    stuck = gateway.send(tenant).json["id"]
    earlier = utc_now() - timedelta(minutes=6)
    world.set(messages, UUID(stuck), created_at=earlier)
    silent = write_message(world.database, tenant, utc_now() - timedelta(hours=2))
    recent = write_message(world.database, tenant, utc_now() - timedelta(minutes=30))
    old = write_message(world.database, tenant, utc_now() - timedelta(hours=80))
    shown = overview(window)
    first, second = shown.split('id="quiet"')
    assert f"/console/messages/{unconfirmed}" in first
    assert f"/console/messages/{stuck}" in first
    assert f"/console/messages/{silent}" in second
    for absent in (fresh, recent, old):
        assert f"/console/messages/{absent}" not in shown


def test_the_health_of_each_webhook_endpoint_is_told(
    tenant: Tenant, window: Window, world: World
) -> None:
    assert "No endpoints." in overview(window)
    row = {
        "workspace_id": tenant.workspace_id,
        "events": ["sms.delivered"],
        "secret": "x",
        "created_at": world.now,
        "updated_at": world.now,
        "active": True,
        "first_failed_at": None,
        "disabled_reason": None,
    }
    with world.database.writing() as c:
        for place, more in enumerate(
            (
                {"url": "https://fine.example/secret-path"},
                {"url": "https://failing.example/", "first_failed_at": world.now},
                {"url": "https://off.example/", "active": False, "disabled_reason": MARKUP},
            )
        ):
            c.execute(insert(webhook_endpoints).values(**row | more, id=UUID(int=place + 1)))
    shown = window.get("/console").text
    assert 'fine.example</span> <span class="status status-active">active' in shown
    assert 'failing.example</span> <span class="status status-failing">failing' in shown
    assert 'off.example</span> <span class="status status-disabled">disabled' in shown
    assert "secret-path" not in shown
    assert "<img src=x" not in shown


def test_an_organization_without_workspaces_is_told_so(gateway: Gateway, world: World) -> None:
    organization_id = world.organization("Empty")
    make_person(world, organization_id, {None: Role.OWNER})
    window = open_window(gateway)
    assert window.sign_in().status_code == 303
    for path in ("/console", "/console/messages", "/console/refusals", "/console/try"):
        assert window.get(path).status_code == 200, path
    assert "No workspace yet" in window.get("/console").text
    assert window.get("/console/try?number=%2B12025550123").status_code == 200


def test_the_page_is_light(gateway: Gateway, tenant: Tenant, window: Window, world: World) -> None:
    with world.database.writing() as c:
        c.execute(
            insert(message_counts),
            [
                {
                    "workspace_id": tenant.workspace_id,
                    "day": utc_now().date() - timedelta(days=days),
                    "hour": 1,
                    "country": country,
                    "sends": 123_456,
                    "delivered": 120_000,
                    "undelivered": 1_000,
                    "failed": 1_000,
                    "segments": 234_567,
                }
                for days in range(30)
                for country in ("US", "CA", "BR", "FR", "DE", "GB", "MX", "IN", "ES", "IT", "JP")
            ],
        )
    assert len(window.get("/console").data) < 40_000


def test_it_shows_what_was_spent_and_what_refusals_saved(
    gateway: Gateway, tenant: Tenant, window: Window, world: World
) -> None:
    assert "Spent" not in window.get("/console").text
    text = "country,mccmnc,price,currency,valid_from\nUS,,0.05,USD,2026-01-01\nBR,,0.3,USD,2026-01-01\n"
    with world.database.writing() as c:
        import_prices(c, read_prices(text), world.now)
    sent = gateway.send(tenant).get_json()["id"]
    for _ in range(2):
        gateway.send(tenant, to=BR_NUMBER)
    CountMessages(gateway.services.database, gateway.services.clock).run_once()

    shown = window.get("/console").text

    assert "<dt>Spent</dt><dd>0.0500 USD</dd>" in shown
    assert "<strong>0.6000 USD</strong>" in shown
    assert ">DestinationBlocked</span>, 2 messages" in shown
    assert "0.0500 USD (estimated)" in window.get(f"/console/messages/{sent}").text
