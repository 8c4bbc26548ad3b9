"""Provider check: the four disagreements side by side, and asking Twilio again."""

import re
from html import unescape

import pytest
from sqlalchemy import update

from app.access.principal import Role
from app.access.tables import workspaces
from app.db.encryption import Cipher
from app.destinations.geo_permissions.check import CheckProvider
from app.destinations.geo_permissions.store import record_closed
from app.destinations.tables import provider_checks
from app.web.registry import register_service
from support.console import Console, audit_events_of_pages, signed_in
from support.destinations import PolicyClient
from support.factories import ACCOUNT, Factory, Gateway, Tenant
from support.forms import form_of
from support.geo import FakeGeo, ask_through_twilio, entry, listed, permits, store

pytestmark = pytest.mark.one_engine

PAGE = "/console/provider"


@pytest.fixture(autouse=True)
def policy(gateway: Gateway, tenant: Tenant, factory: Factory, cipher: Cipher) -> PolicyClient:
    """The workspace's destinations, whose provider is the fake Twilio."""
    ask_through_twilio(gateway, cipher)
    return PolicyClient(gateway, tenant, factory)


def store_all(factory: Factory) -> None:
    states = {"US": True, "FR": False, "PK": False, "NG": True, "FI": True}
    store(factory.database, high_risk=("PK", "NG"), **states)


def section(html: str, title: str) -> str:
    """Return one of the four lists, with what to do about it."""
    found = html.partition(f'<h2 id="{title}">')[2].partition("</section>")[0]
    return " ".join(found.split())


def test_the_four_lists_have_their_remedies(
    policy: PolicyClient, console: Console, factory: Factory
) -> None:
    policy.allow("FR", "PK", "CU")
    store_all(factory)
    html = console.get(PAGE).text
    closed = section(html, "closed-there")
    for expected_text in (
        "France <small>FR<",
        "Pakistan <small>PK, high-risk<",
        "Cuba <small>CU, uns",
    ):
        assert expected_text in closed
    assert "block=FR" in closed
    opened = section(html, "open-there")
    assert "Nigeria <small>NG, high-risk<" in opened
    assert "Finland <small>FI<" in opened
    risky = section(html, "high-risk")
    assert "Nigeria" in risky
    assert "https://console.twilio.com/" in risky
    unsupported = section(html, "unsupported")
    assert "Cuba" in unsupported
    assert "Block them here" in unsupported
    assert "Last checked <time" in html


def test_agreement_is_shown(policy: PolicyClient, console: Console, factory: Factory) -> None:
    store(factory.database, US=True, FR=False)
    assert "Twilio's geo permissions match the destinations." in console.get(PAGE).text


def test_a_refusal_alone_is_no_agreement(
    policy: PolicyClient, console: Console, factory: Factory
) -> None:
    with factory.database.writing() as connection:
        record_closed(connection, ACCOUNT, "FR", factory.now)
    html = console.get(PAGE).text
    assert "Not checked yet." in html
    assert "match the destinations" not in html


def test_twilio_is_asked_again(policy: PolicyClient, console: Console) -> None:
    assert "Not checked yet." in console.get(PAGE).text
    policy.gateway.twilio.script.append(listed(entry("US"), entry("FR")))
    answer = console.post(PAGE)
    assert answer.status_code == 303
    html = console.get(PAGE).text
    assert "Refreshed." in html
    assert "France" in section(html, "open-there")
    assert len(policy.gateway.twilio.calls) == 1


@pytest.mark.parametrize(
    ("status", "expected", "expected_text"),
    [(500, 503, "Twilio could not be reached"), (401, 502, "Ask an owner to check it.")],
)
def test_known_permissions_stay_while_twilio_is_unreachable(
    policy: PolicyClient, console: Console, status: int, expected: int, expected_text: str
) -> None:
    store_all(policy.factory)
    policy.gateway.twilio.script.extend([listed(status=status)] * 3)
    answer = console.post(PAGE)
    assert answer.status_code == expected
    assert expected_text in answer.text
    assert "last known answer is shown below." in answer.text
    assert "Finland" in section(answer.text, "open-there")


def test_a_workspace_without_an_account_shows_the_remedy(
    policy: PolicyClient, console: Console, factory: Factory
) -> None:
    factory.set(workspaces, policy.tenant.workspace_id, account_sid=None)
    html = console.get(PAGE).text
    assert "has no Twilio account" in html
    assert "Refresh from Twilio" not in html.partition("<h1>")[2]
    assert console.post(PAGE).status_code == 422


def test_no_connection_is_held_during_a_call_to_twilio(
    policy: PolicyClient, console: Console, factory: Factory
) -> None:
    def answers(_: object) -> object:
        with factory.database.writing() as connection:  # a lock held meanwhile would wait for ever
            connection.execute(update(provider_checks).values(checked_at=factory.now))
        return listed(entry("US"))

    policy.gateway.twilio.script.append(answers)  # type: ignore[arg-type]
    assert console.post(PAGE).status_code == 303


def test_twilio_is_changed_after_a_second_press_with_an_acknowledgement(
    policy: PolicyClient, console: Console, factory: Factory
) -> None:
    """Break: change without the acknowledgement, or what was not shown."""
    register_service(policy.gateway.client.application, _check_over(policy, source := FakeGeo()))
    source.permits[ACCOUNT] = permits(US=True, FR=False, FI=True)
    policy.allow("FR")
    path = f"{PAGE}/align"
    shown = console.post(path, on=PAGE).text
    assert ("Allow at Twilio:</strong> France." in shown, "Block at Twilio" in shown) == (
        True,
        True,
    )
    found = form_of(shown, path, "Change at Twilio").pressed("Change at Twilio")
    found.pop("acknowledge", None)
    for form in (found, found | {"acknowledge": "yes", "shown": "another"}):
        assert console.post_without_token(path, form).status_code == 200
    assert source.wanted == []
    done = console.post_without_token(path, found | {"acknowledge": "yes"})
    assert done.status_code == 303
    assert {(one.country, one.is_open) for one in source.wanted} == {("FR", True), ("FI", False)}
    assert ("geo.pushed", f"2 permissions of {ACCOUNT}") in audit_events_of_pages(factory)


def test_a_shared_account_needs_a_role_in_all_its_workspaces(
    policy: PolicyClient, console: Console, factory: Factory
) -> None:
    register_service(policy.gateway.client.application, _check_over(policy, source := FakeGeo()))
    source.permits[ACCOUNT] = permits(US=True, FI=True)
    factory.tenant(policy.tenant.organization_id, "Sibling", account_sid=ACCOUNT)
    refused = console.post(f"{PAGE}/align", on=PAGE)
    assert (refused.status_code, "is shared by Retail, Sibling" in refused.text) == (403, True)
    wide = factory.keys(policy.tenant.organization_id, None)[Role.ADMIN]
    assert signed_in(policy.gateway, wide).post(f"{PAGE}/align", on=PAGE).status_code == 200


def test_blocking_here_is_prepared_and_not_saved(
    policy: PolicyClient, console: Console, factory: Factory
) -> None:
    policy.allow("FR")
    store_all(factory)
    html = console.get(PAGE).text
    link = re.search(r'href="([^"]+block=FR[^"]*)"', html)
    assert link is not None
    page = console.get(unescape(link[1])).text
    assert "1 unsaved change" in page
    assert policy.revision == 2


def _check_over(policy: PolicyClient, source: FakeGeo) -> CheckProvider:
    services = policy.gateway.services
    return CheckProvider(services.database, source, services.clock)
