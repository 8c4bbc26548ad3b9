"""The overview: figures of the statistics, problems, and the first steps of a new workspace."""

from datetime import timedelta
from html import unescape
from uuid import UUID

import pytest
from sqlalchemy import insert, update
from twilio.http.response import Response

from app.access.principal import Role
from app.db.heartbeats import beat, worker_heartbeats
from app.kernel.clock import Clock, utc_now
from app.messages.statistics.aggregate import AggregateMessages
from app.messages.tables import message_counts, messages
from app.prices.price_file import read_prices
from app.prices.store import import_prices
from app.use_cases.tables import use_cases
from support.console import Console, make_user, open_console, signed_in
from support.factories import BR_NUMBER, Factory, Gateway, Tenant
from support.guards import GuardsClient
from support.months import write_message
from support.time import ManualClock
from support.webhooks import Hooks

pytestmark = pytest.mark.one_engine

MARKUP = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def console(gateway: Gateway, tenant: Tenant) -> Console:
    return signed_in(gateway, tenant.keys[Role.VIEWER])


def overview(console: Console) -> str:
    answer = console.get("/console")
    assert answer.status_code == 200
    return unescape(answer.text)


def count(factory: Factory) -> None:
    while AggregateMessages(factory.database, Clock()).run_once():
        pass


def test_a_new_workspace_gets_the_first_steps(tenant: Tenant, console: Console) -> None:
    shown = overview(console)
    assert "Send the first message" in shown
    assert "curl -s https://sms.example.com/v1/sms" in shown
    assert str(tenant.use_case_id) in shown
    assert 'href="/docs"' in shown
    assert 'href="/console/try"' in shown
    assert "<svg class=" not in shown


@pytest.mark.both_engines
def test_sends_are_shown_as_they_were_counted(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    sent = [gateway.send(tenant).json for _ in range(4)]
    for message, word in zip(sent, ("delivered", "delivered", "failed"), strict=False):
        gateway.callback(message["id"], message["message_sid"], word)
    gateway.send(tenant, to=BR_NUMBER)
    shown = overview(console)
    assert "Not counted yet" in shown
    assert "Send the first message" not in shown
    count(factory)
    shown = overview(console)
    today = utc_now().date().isoformat()
    cells = "".join(f'<td class="number">{number}</td>' for number in (2, 0, 1, 1))
    assert f'<th scope="row">{today}</th>{cells}' in shown
    assert "<dt>Sends in 30 days</dt><dd>4</dd>" in shown
    assert "66.7%" in shown
    assert 'href="/console/messages?country=US">United States</a>' in shown
    assert "Brazil" in shown
    assert shown.count('<div class="plot" hidden>') == shown.count("<summary>Show as table") == 3
    name = factory.rows(use_cases)[0]["name"]
    for query, expected_text in (
        ("period=24h", "Sends in 24 hours</dt><dd>4<"),
        ("period=90d&by=country", ">United States</th>"),
        ("period=7d&by=use_case", f">{name}</th>"),
    ):
        assert expected_text in unescape(console.get(f"/console?{query}").text), query
    assert console.get("/console?period=1y").status_code == 422


def test_another_workspace_has_its_own_figures(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    gateway.send(sibling)
    count(factory)
    assert "Send the first message" in overview(console)


@pytest.mark.both_engines
def test_a_silent_worker_is_reported(console: Console, factory: Factory) -> None:
    assert "The worker has never reported." in overview(console)
    with factory.database.writing() as c:
        beat(c, "one", utc_now())
    shown = overview(console)
    assert "The worker has" not in shown
    assert "running" in shown
    factory.write(update(worker_heartbeats).values(at=utc_now() - timedelta(minutes=2)))
    assert "The worker has not reported since" in overview(console)


def test_guards_are_shown_with_their_alerts_and_how_near_they_are(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    desk = GuardsClient(gateway, tenant, factory)
    desk.set()
    shown = overview(console)
    assert "All guards are off: nothing stops a flood of messages." in shown
    assert "An admin can turn them on." in shown
    admin = signed_in(gateway, tenant.keys[Role.ADMIN])
    assert '<a href="/console/guards">Turn on guards</a>' in overview(admin)
    desk.set(
        number={"mode": "enforce", "hour": 1, "day": None},
        country={"mode": "monitor", "hour": None, "day": None, "countries": {"US": {"hour": 2}}},
    )
    for _ in range(2):
        gateway.send(tenant)
    shown = overview(console)
    assert "Tripped, 1 alert</a>" in shown
    assert ">Enforced</span>" in shown
    assert ">1 of 2 per hour to United States</small>" in shown
    gateway.send(tenant, to="+12025550124")
    assert '<small class="status status-pending">2 of 2 per hour' in overview(console)
    assert "set a spend limit</a>" not in shown
    assert "set a spend limit</a>" in overview(admin)


def test_unconfirmed_stuck_and_receiptless_messages_are_listed(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    gateway.twilio.script.append(Response(500, ""))
    unconfirmed = gateway.send(tenant).json["details"]["id"]
    fresh = gateway.send(tenant).json["id"]
    stuck = gateway.send(tenant).json["id"]
    earlier = utc_now() - timedelta(minutes=6)
    factory.set(messages, UUID(stuck), created_at=earlier)
    silent = write_message(factory.database, tenant, utc_now() - timedelta(hours=2))
    recent = write_message(factory.database, tenant, utc_now() - timedelta(minutes=30))
    old = write_message(factory.database, tenant, utc_now() - timedelta(hours=80))
    shown = overview(console)
    first, second = shown.split('id="quiet"')
    assert f"/console/messages/{unconfirmed}" in first
    assert f"/console/messages/{stuck}" in first
    assert f"/console/messages/{silent}" in second
    for absent in (fresh, recent, old):
        assert f"/console/messages/{absent}" not in shown


@pytest.mark.both_engines
def test_the_health_of_each_webhook_endpoint_is_shown(
    tenant: Tenant, console: Console, factory: Factory
) -> None:
    assert "No endpoints." in overview(console)
    hooks = Hooks(factory, ManualClock(factory.now))
    for more in (
        {"url": "https://fine.example/secret-path"},
        {"url": "https://failing.example/", "first_failed_at": factory.now},
        {"url": "https://off.example/", "active": False, "disabled_reason": MARKUP},
    ):
        hooks.endpoint(tenant.workspace_id, **more)
    shown = console.get("/console").text
    assert 'fine.example</span> <span class="status status-active">active' in shown
    assert 'failing.example</span> <span class="status status-failing">failing' in shown
    assert 'off.example</span> <span class="status status-disabled">disabled' in shown
    assert "secret-path" not in shown
    assert "<img src=x" not in shown


def test_an_organization_without_workspaces_gets_a_hint(gateway: Gateway, factory: Factory) -> None:
    organization_id = factory.organization("Empty")
    make_user(factory, organization_id, {None: Role.OWNER})
    console = open_console(gateway)
    assert console.sign_in().status_code == 303
    for path in ("/console", "/console/messages", "/console/refusals", "/console/try"):
        assert console.get(path).status_code == 200, path
    assert "No workspace yet" in console.get("/console").text
    assert console.get("/console/try?number=%2B12025550123").status_code == 200


@pytest.mark.both_engines
def test_the_page_is_light(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    with factory.database.writing() as c:
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
    assert len(console.get("/console").data) < 40_000


def test_spend_and_savings_by_refusals_are_shown(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    assert "Spent" not in console.get("/console").text
    text = "country,mccmnc,price,currency,valid_from\nUS,,0.05,USD,2026-01-01\nBR,,0.3,USD,2026-01-01\n"
    with factory.database.writing() as c:
        import_prices(c, read_prices(text), factory.now)
    sent = gateway.send(tenant).get_json()["id"]
    for _ in range(2):
        gateway.send(tenant, to=BR_NUMBER)
    AggregateMessages(gateway.services.database, gateway.services.clock).run_once()

    shown = console.get("/console").text

    assert "<dt>Spent</dt><dd>0.0500 USD</dd>" in shown
    assert 'data-chart="money" data-unit="USD"' in shown
    assert '<td class="number">0.05</td>' in shown
    assert "<strong>0.6000 USD</strong>" in shown
    assert ">DestinationBlocked</span>, 2 messages" in shown
    assert "0.0500 USD (estimated)" in console.get(f"/console/messages/{sent}").text
