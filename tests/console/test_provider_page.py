"""Provider check: the four disagreements side by side, and asking Twilio again."""

import re
from html import unescape

import pytest
from sqlalchemy import update

from app.access.roles import Role
from app.access.tables import workspaces
from app.db.vault import Vault
from app.destinations.geo_source import GeoPermission
from app.destinations.provider_check import CheckProvider
from app.destinations.provider_gates import gates_from
from app.destinations.provider_store import replace_permissions
from app.destinations.tables import provider_checks
from app.web.wiring import provide
from support.console import Window, deeds_of_pages, signed_in
from support.destinations import Desk
from support.forms import form_of
from support.geo import FakeGeo, ask_through_twilio, entry, listed, permits
from support.world import ACCOUNT, Gateway, Tenant, World

pytestmark = pytest.mark.one_engine

PAGE = "/console/provider"


@pytest.fixture
def desk(gateway: Gateway, tenant: Tenant, world: World, vault: Vault) -> Desk:
    """The workspace's destinations, whose provider is the fake Twilio."""
    ask_through_twilio(gateway, vault)
    return Desk(gateway, tenant, world)


@pytest.fixture
def window(desk: Desk) -> Window:
    """An admin's window."""
    return signed_in(desk.gateway, desk.tenant.keys[Role.ADMIN])


def store(world: World) -> None:
    permissions = [
        GeoPermission("US", True),
        GeoPermission("FR", False),
        GeoPermission("PK", False, is_high_risk=True),
        GeoPermission("NG", True, is_high_risk=True),
        GeoPermission("FI", True),
    ]
    with world.database.writing() as connection:
        replace_permissions(connection, ACCOUNT, gates_from(permissions), world.now)


def section(html: str, title: str) -> str:
    """Return one of the four lists, with what to do about it."""
    found = html.partition(f'<h2 id="{title}">')[2].partition("</section>")[0]
    return " ".join(found.split())


def test_the_four_lists_stand_with_what_to_do(desk: Desk, window: Window, world: World) -> None:
    desk.allow("FR", "PK", "CU")
    store(world)
    html = window.get(PAGE).text
    closed = section(html, "closed-there")
    for told in ("France <small>FR<", "Pakistan <small>PK, high-risk<", "Cuba <small>CU, uns"):
        assert told in closed
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


def test_agreement_is_said_too(desk: Desk, window: Window, world: World) -> None:
    with world.database.writing() as connection:
        gates = gates_from([GeoPermission("US", True), GeoPermission("FR", False)])
        replace_permissions(connection, ACCOUNT, gates, world.now)
    assert "Twilio's geo permissions match the destinations." in window.get(PAGE).text


def test_twilio_is_asked_again(desk: Desk, window: Window) -> None:
    assert "Not checked yet." in window.get(PAGE).text
    desk.gateway.twilio.script.append(listed(entry("US"), entry("FR")))
    answer = window.post(PAGE)
    assert answer.status_code == 303
    html = window.get(PAGE).text
    assert "Refreshed." in html
    assert "France" in section(html, "open-there")
    assert len(desk.gateway.twilio.calls) == 1


@pytest.mark.parametrize(
    ("status", "expected", "told"),
    [(500, 503, "Twilio could not be reached"), (401, 502, "Ask an owner to check it.")],
)
def test_where_twilio_cannot_be_asked_what_was_known_stays(
    desk: Desk, window: Window, status: int, expected: int, told: str
) -> None:
    store(desk.world)
    desk.gateway.twilio.script.extend([listed(status=status)] * 3)
    answer = window.post(PAGE)
    assert answer.status_code == expected
    assert told in answer.text
    assert "last known answer is shown below." in answer.text
    assert "Finland" in section(answer.text, "open-there")


def test_a_workspace_without_an_account_says_what_to_do(
    desk: Desk, window: Window, world: World
) -> None:
    world.set(workspaces, desk.tenant.workspace_id, account_sid=None)
    html = window.get(PAGE).text
    assert "has no Twilio account" in html
    assert "Refresh from Twilio" not in html.partition("<h1>")[2]
    assert window.post(PAGE).status_code == 422


def test_a_viewer_sees_it_and_cannot_ask(desk: Desk, world: World) -> None:
    store(world)
    window = signed_in(desk.gateway, desk.tenant.keys[Role.VIEWER])
    html = window.get(PAGE).text
    assert "Finland" in section(html, "open-there")
    assert "<button" not in html.partition("<h1>")[2]
    assert window.post(PAGE, on="/console").status_code == 403
    assert desk.gateway.twilio.calls == []


def test_nothing_is_held_while_twilio_is_asked(desk: Desk, window: Window, world: World) -> None:
    def answers(_: object) -> object:
        with world.database.writing() as connection:  # a lock held meanwhile would wait for ever
            connection.execute(update(provider_checks).values(checked_at=world.now))
        return listed(entry("US"))

    desk.gateway.twilio.script.append(answers)  # type: ignore[arg-type]
    assert window.post(PAGE).status_code == 303


def test_twilio_is_changed_after_a_second_press_with_an_acknowledgement(
    desk: Desk, window: Window, world: World
) -> None:
    """Break: change without the acknowledgement, or what was not shown."""
    provide(desk.gateway.client.application, _check_over(desk, source := FakeGeo()))
    source.permits[ACCOUNT] = permits(US=True, FR=False, FI=True)
    desk.allow("FR")
    path = f"{PAGE}/align"
    shown = window.post(path, on=PAGE).text
    assert ("Allow at Twilio:</strong> France." in shown, "Block at Twilio" in shown) == (
        True,
        True,
    )
    found = form_of(shown, path, "Change at Twilio").pressed("Change at Twilio")
    found.pop("acknowledge", None)
    for form in (found, found | {"acknowledge": "yes", "shown": "another"}):
        assert window.post_without_token(path, form).status_code == 200
    assert source.wanted == []
    done = window.post_without_token(path, found | {"acknowledge": "yes"})
    assert done.status_code == 303
    assert {(one.country, one.is_open) for one in source.wanted} == {("FR", True), ("FI", False)}
    assert ("geo.pushed", f"2 permissions of {ACCOUNT}") in deeds_of_pages(world)


def test_who_shares_an_account_needs_a_role_everywhere(
    desk: Desk, window: Window, world: World
) -> None:
    provide(desk.gateway.client.application, _check_over(desk, source := FakeGeo()))
    source.permits[ACCOUNT] = permits(US=True, FI=True)
    world.tenant(desk.tenant.organization_id, "Sibling", account_sid=ACCOUNT)
    refused = window.post(f"{PAGE}/align", on=PAGE)
    assert (refused.status_code, "is shared by Retail, Sibling" in refused.text) == (403, True)
    wide = world.keys(desk.tenant.organization_id, None)[Role.ADMIN]
    assert signed_in(desk.gateway, wide).post(f"{PAGE}/align", on=PAGE).status_code == 200


def test_blocking_here_is_prepared_and_not_saved(desk: Desk, window: Window, world: World) -> None:
    desk.allow("FR")
    store(world)
    html = window.get(PAGE).text
    link = re.search(r'href="([^"]+block=FR[^"]*)"', html)
    assert link is not None
    page = window.get(unescape(link[1])).text
    assert "1 unsaved change" in page
    assert desk.revision == 2


def _check_over(desk: Desk, source: FakeGeo) -> CheckProvider:
    services = desk.gateway.services
    return CheckProvider(services.database, source, services.clock)
