"""The quick finder, the first steps, and error pages with the menu."""

import pytest

from app.access.principal import Role
from support.console import Console, open_console, signed_in
from support.factories import Gateway, Tenant

pytestmark = pytest.mark.one_engine
FIND = "/console/find"


def window_of(gateway: Gateway, tenant: Tenant, role: Role = Role.SENDER) -> Console:
    return signed_in(gateway, tenant.keys[role])


def test_pages_and_countries_are_found_by_the_beginning_of_words(
    gateway: Gateway, tenant: Tenant
) -> None:
    console = window_of(gateway, tenant)
    found = console.get(f"{FIND}?q=germ").text
    assert 'href="/console/messages?country=DE"' in found
    assert 'href="/console/destinations?country=DE"' in found
    assert console.get(f"{FIND}?q=opt-o").headers["Location"] == "/console/opt-outs"
    assert "No results" in console.get(f"{FIND}?q=nothing+at+all").text
    assert "&lt;b&gt;" in console.get(f"{FIND}?q=<b>").text
    # Pages of another role are no results.
    assert "No results" in console.get(f"{FIND}?q=audit").text
    audit = window_of(gateway, tenant, Role.ADMIN).get(f"{FIND}?q=audit")
    assert audit.headers["Location"] == "/console/audit"


def test_a_message_is_found_by_id_sid_and_number(gateway: Gateway, tenant: Tenant) -> None:
    sent = gateway.send(tenant).json
    console = window_of(gateway, tenant)
    for text in (sent["id"], sent["message_sid"], "12025550123"):
        answer = console.get(f"{FIND}?q={text}")
        assert answer.status_code == 303, text
        assert sent["id"] in console.get(answer.headers["Location"]).text


def test_an_error_page_has_the_menu_of_the_signed_in_user(gateway: Gateway, tenant: Tenant) -> None:
    console = window_of(gateway, tenant)
    for path in ("/console/nowhere", "/console/messages/no-id", "/console/access-keys"):
        page = console.get(path)
        assert page.status_code in {400, 403, 404}, path
        assert 'aria-label="Main"' in page.text, path
    assert "This page does not exist." in console.get("/console/nowhere").text
    stranger = open_console(gateway).get("/console/nowhere")
    assert (stranger.status_code, 'aria-label="Main"' in stranger.text) == (404, False)


def test_a_selected_country_waits_for_the_save(gateway: Gateway, tenant: Tenant) -> None:
    page = window_of(gateway, tenant, Role.ADMIN).get("/console/destinations?country=FR").text
    assert '<option value="FR" selected>' in page
    assert "No changes yet" in page


def test_the_first_steps_name_the_use_case_and_the_address(
    gateway: Gateway, tenant: Tenant
) -> None:
    page = window_of(gateway, tenant).get("/console/first-steps").text
    assert str(tenant.use_case_id) in page
    assert "/v1/sms" in page
