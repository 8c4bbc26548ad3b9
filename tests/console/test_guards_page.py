"""The pages of guards, alerts, usage and prices."""

import csv
import io
import re

import pytest

from app.access.principal import Role
from app.guards.alerts import AlertKind
from app.kernel.ids import new_id
from app.messages.statistics.aggregate import AggregateMessages
from app.prices.price_file import WrongPrices, read_prices
from app.prices.store import import_prices, load_prices, remove_price
from support.console import Console, audit_events_of_pages, signed_in
from support.factories import Factory, Gateway, Tenant
from support.forms import form_of
from support.processes import ROOT

pytestmark = pytest.mark.one_engine
GUARDS = "/console/guards"
ALERTS = "/console/alerts"
FR_NUMBER = "+33612345678"


def press(console: Console, html: str, label: str, **filled: str) -> tuple[int, str]:
    """Press a button of the form; dots in names are written as two underscores."""
    named = {name.replace("__", "."): value for name, value in filled.items()}
    sent = form_of(html, GUARDS, label).pressed(label, **named)
    answer = console.post_without_token(GUARDS, sent)
    return answer.status_code, answer.text


def guards_of(gateway: Gateway, tenant: Tenant) -> dict[str, dict[str, object]]:
    path = f"/v1/workspaces/{tenant.workspace_id}/guards"
    found: dict[str, dict[str, object]] = gateway.get(path, key=tenant.keys[Role.ADMIN]).json
    return found["guards"]  # type: ignore[return-value]


def test_limits_are_saved_after_their_effect_was_shown(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    """Break: save what was not previewed."""
    for _ in range(3):
        gateway.send(tenant)
    html = console.get(GUARDS).text
    limits = {"number__hour": "2", "number__day": "9", "number__mode": "enforce"}
    status, html = press(console, html, "Preview effect", **limits)
    assert (status, guards_of(gateway, tenant)["number"]["hour"]) == (200, 10)
    assert "<strong>1</strong> message would have been refused" in html
    status, html = press(console, html, "Save", number__hour="1")
    assert (status, guards_of(gateway, tenant)["number"]["hour"]) == (200, 10)
    status, _ = press(console, html, "Save", reason="an attack")
    assert (status, guards_of(gateway, tenant)["number"]) == (
        303,
        {"mode": "enforce", "hour": 1, "day": 9},
    )
    assert ("guards.changed", "an attack") in audit_events_of_pages(factory)


def test_a_use_case_gets_its_own_guards_and_loses_them(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    """Break: let `_edit` replace the guards of the workspace, or those of all use cases."""
    gateway.send(tenant)
    gateway.send(tenant)

    def stored() -> dict[str, object]:
        path = f"/v1/workspaces/{tenant.workspace_id}/guards"
        answer = gateway.get(path, key=tenant.keys[Role.ADMIN]).json
        assert answer["guards"]["number"]["mode"] == "off"
        return answer["use_cases"]  # type: ignore[no-any-return]

    page = f"{GUARDS}?use_case_id={tenant.use_case_id}"
    assert page in console.get(GUARDS).text
    html = console.get(page).text
    assert "Segments of the workspace" not in html
    _, wrong = press(console, html, "Preview effect", number__mode="off", number__hour="many")
    assert "Must be a whole number from 1" in wrong
    limits = {"number__mode": "enforce", "number__hour": "1", "number__day": ""}
    status, html = press(console, html, "Preview effect", **limits)
    assert (status, stored()) == (200, {})
    assert "<strong>1</strong> message would have been refused" in html
    assert press(console, html, "Save")[0] == 303
    own = {"number": {"mode": "enforce", "hour": 1, "day": None}}
    assert stored() == {str(tenant.use_case_id): own}
    assert "Messages to one number: 1 per hour, " in console.get(GUARDS).text
    _, html = press(console, console.get(page).text, "Preview effect", number__mode="")
    assert press(console, html, "Save")[0] == 303
    assert stored() == {}
    for absent in (new_id(), "x"):
        assert console.get(f"{GUARDS}?use_case_id={absent}").status_code == 404


def test_countries_and_money_are_read_as_the_api_takes_them(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    wanted = {"country__countries": "ma 10, 40\nFR auto", "country__hour": "auto"}
    _, html = press(console, console.get(GUARDS).text, "Preview effect", **wanted)
    assert press(console, html, "Save")[0] == 303
    country = guards_of(gateway, tenant)["country"]
    assert country["countries"] == {
        "FR": {"hour": "auto", "day": None},
        "MA": {"hour": 10, "day": 40},
    }


def test_a_wrong_limit_is_named_at_its_field(console: Console) -> None:
    for field, value, expected_text in (
        ("number.hour", "many", "Must be a whole number from 1"),
        ("country.countries", "XX 1", "XX: Must be an ISO 3166-1"),
        ("country.countries", "MA 1,500 3,000", "MA.hour: Must be a whole number"),
        ("country.countries", "MA 10 40 70", "MA.day: Must be a whole number"),
        ("country.countries", "MA 10\nMA 20", "MA.hour: Must be a whole number"),
        ("spend.day", "ten", "Must be a decimal text"),
        ("spend.month", "10.00", "price"),
        ("delivery.below", "101", "Must be a whole number from 0"),
    ):
        html = console.get(GUARDS).text
        filled = {field.replace(".", "__"): value}
        status, html = press(console, html, "Preview effect", **filled)
        assert status == 422, field
        assert expected_text in html, field
        assert "or null" not in html, field  # a form has no null


def test_another_change_in_between_is_not_overwritten(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    _, html = press(console, console.get(GUARDS).text, "Preview effect", number__hour="2")
    path = f"/v1/workspaces/{tenant.workspace_id}/guards"
    body = {"guards": {"number": {"mode": "off"}}}
    changed = gateway.client.put(
        path, json=body, headers={"Authorization": f"AccessKey {tenant.keys[Role.ADMIN]}"}
    )
    assert changed.status_code == 200
    status, html = press(console, html, "Save")
    assert (status, "Someone else changed the guards" in html) == (412, True)
    assert guards_of(gateway, tenant)["number"]["mode"] == "off"
    assert press(console, html, "Preview effect")[0] == 200


def test_a_suggestion_is_filled_in_and_a_viewer_changes_nothing(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    assert "Nothing is saved yet" in console.get(f"{GUARDS}?suggested=yes").text
    viewer = signed_in(gateway, tenant.keys[Role.VIEWER])
    page = viewer.get(GUARDS).text
    assert ("Changes require the admin role" in page, "Preview effect" in page) == (True, False)


def test_an_open_alert_is_on_every_page_until_it_is_acknowledged(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    _, html = press(
        console,
        console.get(GUARDS).text,
        "Preview effect",
        number__hour="1",
        number__mode="enforce",
    )
    press(console, html, "Save")
    assert [gateway.send(tenant).status_code for _ in range(2)] == [201, 422]
    expected_text = "Limit of 1 messages per hour to +12*******23 reached, 1 refused."
    for path in ("/console", "/console/messages", "/console/nowhere"):
        assert expected_text in console.get(path).text, path
    listed = console.get(f"{ALERTS}?state=open").text
    assert expected_text in listed
    assert f'<a href="{GUARDS}">Guard tripped</a>' in listed
    action = listed.partition(f'action="{ALERTS}/')[2].partition('"')[0]
    assert console.post(f"{ALERTS}/{action}", on=ALERTS).status_code == 303
    assert expected_text not in console.get("/console").text
    assert "admin key" in console.get(ALERTS).text
    assert "No results" in console.get(f"{ALERTS}?state=cleared").text


def test_each_kind_of_alert_leads_to_a_page(console: Console) -> None:
    """Break: misspell a kind or a page of the table in `alerts.html`."""
    template = (ROOT / "app/console/templates/guards/alerts.html").read_text(encoding="utf-8")
    pages = dict(re.findall(r'"([a-z.]+)": "(/[a-z-]+)"', template))
    assert {AlertKind(kind) for kind in pages} == {*AlertKind} - {
        AlertKind.CLOCK_DIFFERS,
        AlertKind.WORKER_STUCK,
    }
    assert {path: console.get(f"/console{path}").status_code for path in pages.values()} == (
        dict.fromkeys(pages.values(), 200)
    )


def test_usage_is_shown_and_exported(gateway: Gateway, tenant: Tenant, console: Console) -> None:
    gateway.send(tenant, to=FR_NUMBER)
    page = console.get("/console/usage").text
    assert ">France</th>" in page
    for by, label in (("day", "20"), ("use_case", "use case"), ("key", "sender key")):
        assert f'<th scope="row">{label}' in console.get(f"/console/usage?by={by}").text, by
    answer = console.get("/console/usage.csv?by=country")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["country"], row["refused"]) == ("FR", "1")
    for wrong in ("by=moon", "since=x", "since=2026-02-01&until=2026-01-01"):
        assert console.get(f"/console/usage?{wrong}").status_code == 422, wrong


def test_prices_are_listed_by_country(console: Console, factory: Factory) -> None:
    assert "No prices yet" in console.get("/console/prices").text
    file = read_prices("country,mccmnc,price,currency,valid_from\nUS,,0.0079,USD,2026-01-01\n")
    with factory.database.writing() as connection:
        import_prices(connection, file, factory.now)
    assert "0.0079 USD" in console.get("/console/prices").text
    assert "No results" in console.get("/console/prices?country=FR").text


def test_the_last_price_stays_whoever_removes_it(factory: Factory) -> None:
    """Break: leave the check to the page, which reads before it has the lock."""
    file = read_prices("country,mccmnc,price,currency,valid_from\nUS,,0.0079,USD,2026-01-01\n")
    with factory.database.writing() as connection:
        import_prices(connection, file, factory.now)
    ((_, row),) = file.rows
    with pytest.raises(WrongPrices), factory.database.writing() as connection:
        remove_price(connection, row, factory.now)


def test_a_price_is_changed_and_removed_after_its_effect_was_shown(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: save without `shown`, or leave the revision out of the text that it holds."""
    path = "/console/prices"
    owner = signed_in(gateway, factory.keys(tenant.organization_id, None)[Role.OWNER])
    gateway.send(tenant)
    AggregateMessages(gateway.services.database, gateway.services.clock).run_once()
    us = {"country": "US", "price": "0.01", "currency": "usd", "valid_from": "2026-01-01"}

    def press(html: str, label: str, **filled: str) -> tuple[int, str]:
        answer = owner.post_without_token(path, form_of(html, path, label).pressed(label, **filled))
        return answer.status_code, answer.text

    def stored() -> list[tuple[str, str, str]]:
        with factory.database.reading() as connection:
            rows = load_prices(connection).rows
        return [(row.country, row.price, row.currency) for row in rows]

    for field, wrong in (("price", "dear"), ("mccmnc", "1"), ("valid_from", "x"), ("country", "")):
        status, html = press(owner.get(path).text, "Preview effect", **us | {field: wrong})
        assert (status, "Must be" in html) == (422, True), field
    _, html = press(owner.get(path).text, "Preview effect", **us)
    assert stored() == []
    assert "United States: <strong>0.0100 USD</strong> instead of - (1 segment)" in html.replace(
        "\u2013", "-"
    )
    assert press(html, "Save")[0] == 303
    assert stored() == [("US", "0.01", "USD")]
    status, html = press(html, "Save", price="0.02")
    assert (status, stored()[0][1]) == (200, "0.01")
    assert "<strong>0.0200 USD</strong> instead of 0.0100" in html
    for wrong in ({"currency": "EUR", "country": "FR"}, {"remove": "yes"}):
        answer = owner.post(path, us | wrong)
        assert answer.status_code == 422, wrong
    fr = us | {"country": "FR"}
    assert press(press(owner.get(path).text, "Preview effect", **fr)[1], "Save")[0] == 303
    answer = owner.post(path, fr | {"remove": "yes"})
    assert "Remove the price of France" in answer.text
    assert press(answer.text, "Remove price")[0] == 303
    assert stored() == [("US", "0.01", "USD")]
    actions = [action for action, _ in audit_events_of_pages(factory)]
    assert actions == ["prices.changed", "prices.changed", "prices.removed"]
    factory.organization("Other")
    assert "changed by command" in owner.get(path).text
    assert owner.post(path, us).status_code == 403
