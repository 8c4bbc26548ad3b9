"""Manage Destinations and Provider check in a browser, with scripts and without."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.access.roles import Role
from app.destinations.geo_source import GeoPermission
from app.destinations.provider_gates import gates_from
from app.destinations.provider_store import replace_permissions
from app.kernel.countries import COUNTRIES
from app.kernel.ids import new_id
from support.accessibility import axe_clean
from support.browser import DESKTOP, PHONE, Complaints, transferred_bytes
from support.destinations import Desk
from support.site import Site

PAGE = "/console/destinations"
FIRST_VIEW_BYTES = 100_000
EACH_SIZE = pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])


@pytest.fixture
def desk(site: Site) -> Desk:
    """A workspace of this test alone, whose account calls Pakistan high-risk."""
    account = f"AC{new_id().hex}"
    tenant = site.world.tenant(
        site.world.organization(f"Acme {new_id()}", ("KP",)), account_sid=account
    )
    permissions = [GeoPermission("US", True), GeoPermission("PK", False, True)]
    with site.world.database.writing() as connection:
        replace_permissions(connection, account, gates_from(permissions), site.world.now)
    return Desk(site.gateway, tenant, site.world)


def sign_in(page: Page, desk: Desk, role: Role = Role.ADMIN) -> None:
    page.goto("/console/sign-in")
    page.get_by_text("Sign in with an access key").click()
    page.get_by_label("Access key").fill(desk.tenant.keys[role])
    page.get_by_role("button", name="Sign in with key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


@pytest.fixture
def opened(page: Page, desk: Desk) -> Page:
    """The page, opened by an admin."""
    sign_in(page, desk)
    page.goto(PAGE)
    return page


def select(page: Page, text: str) -> None:
    box = page.get_by_role("combobox", name="Select a country")
    box.fill(text)
    box.press("Enter")


def save(page: Page) -> None:
    page.locator("#changes").get_by_role("button", name="Save").click()


def waits(page: Page, changes: int) -> None:
    """Wait until the effect of so many changes is shown."""
    heading = re.compile(f"^{changes} changes?, not saved yet")
    expect(page.locator("#changes-heading")).to_have_text(heading)


def click_on_map(page: Page, code: str) -> None:
    page.locator(f'#map svg > [id="{code}"]').click()


@EACH_SIZE
def test_the_first_view_is_light_accessible_and_fits(
    opened: Page, viewport: ViewportSize, desk: Desk
) -> None:
    desk.allow("FR", "PK")
    desk.allow_until("2099-01-01T00:00:00Z", "JP")
    opened.context.clear_cookies()
    sign_in(opened, desk)
    for path in (PAGE, "/console/provider"):
        fresh = opened.context.browser.new_context(  # type: ignore[union-attr]  # nothing cached
            base_url=opened.url.partition("/console")[0],
            storage_state=opened.context.storage_state(),
        ).new_page()
        assert transferred_bytes(fresh, path) < FIRST_VIEW_BYTES, path
        fresh.context.close()
        opened.goto(path)
        assert opened.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        axe_clean(opened)


def test_a_country_is_allowed_and_another_blocked_by_save(opened: Page, desk: Desk) -> None:
    select(opened, "+33")
    opened.get_by_role("button", name="Remove United States").click()
    expect(opened.locator('li[data-code="US"] .note')).to_have_text("will be blocked")
    waits(opened, 2)
    assert desk.destinations == {"US": "allowed"}
    axe_clean(opened)
    save(opened)
    expect(opened.get_by_text("Saved as revision 2.")).to_be_visible()
    assert desk.destinations == {"US": "blocked", "FR": "allowed"}


def test_the_select_is_searched_by_name_code_and_calling_code(opened: Page, desk: Desk) -> None:
    box = opened.get_by_role("combobox", name="Select a country")
    box.click()
    expect(opened.locator("#countries [role=option]")).to_have_count(len(COUNTRIES))
    axe_clean(opened)
    for text, found in (("reunion", "Réunion"), ("+995", "Georgia"), ("xk", "Kosovo")):
        box.fill(text)
        expect(opened.locator('[role=option][aria-selected="true"]')).to_contain_text(found)
    box.fill("nowhere")
    expect(opened.get_by_text("No matching country.")).to_be_visible()
    box.press("Escape")
    expect(opened.get_by_role("listbox")).to_be_hidden()
    select(opened, "KP")
    expect(opened.locator("#country-problem")).to_contain_text("The organization denies")
    select(opened, "united states")
    expect(opened.locator("#country-problem")).to_contain_text("already allowed")
    assert desk.revision == 1


def test_a_click_on_the_map_selects_and_another_takes_it_back(opened: Page, desk: Desk) -> None:
    expect(opened.locator("#map svg > [id]")).to_have_count(len(COUNTRIES))
    expect(opened.locator('#map svg > [id="US"]')).to_have_class("allowed")
    expect(opened.locator('#map svg > [id="KP"]')).to_have_class("denied")
    expect(opened.locator('#map .over [data-code="PK"]')).to_have_count(2)
    click_on_map(opened, "BR")
    click_on_map(opened, "SG")
    waits(opened, 2)
    expect(opened.locator('#map .wished[data-code="BR"]')).to_have_count(1)
    click_on_map(opened, "BR")
    waits(opened, 1)
    save(opened)
    expect(opened.get_by_text("Saved as revision 2.")).to_be_visible()
    assert desk.destinations == {"US": "allowed", "SG": "allowed"}
    expect(opened.locator('#map svg > [id="SG"]')).to_have_class("allowed")
    expect(opened.locator('#map svg > [id="SG"] title')).to_have_text("Singapore (SG): allowed")


def test_a_temporary_allowance_counts_down(opened: Page, desk: Desk) -> None:
    opened.get_by_label("Duration").select_option("4")
    select(opened, "japan")
    waits(opened, 1)
    save(opened)
    chip = opened.locator('li[data-code="JP"]')
    expect(chip).to_contain_text(re.compile(r"until .+[34]:\d\d:\d\d left"))
    assert desk.destinations == {"US": "allowed"}


def test_a_high_risk_country_is_acknowledged_first(
    opened: Page, desk: Desk, complaints: Complaints
) -> None:
    select(opened, "pakistan")
    waits(opened, 1)
    save(opened)
    expect(opened.get_by_text("Select this to save")).to_be_visible()
    complaints.found.clear()  # the browser tells of the 422
    axe_clean(opened)
    assert desk.revision == 1
    opened.get_by_label("I understand that Pakistan is high-risk").check()
    save(opened)
    expect(opened.get_by_text("Saved as revision 2.")).to_be_visible()


def test_who_saves_later_chooses(opened: Page, desk: Desk, complaints: Complaints) -> None:
    select(opened, "france")
    waits(opened, 1)
    desk.allow("DE", X_Change_Reason="a launch")
    save(opened)
    conflict = opened.get_by_role("alert", name="Someone else saved changes")
    expect(conflict).to_contain_text("a launch")
    complaints.found.clear()  # the browser tells of the 412
    axe_clean(opened)
    conflict.get_by_role("button", name="Keep theirs and save mine on top").click()
    expect(opened.get_by_text("Saved as revision 3.")).to_be_visible()
    assert desk.destinations == dict.fromkeys(("US", "DE", "FR"), "allowed")


def test_the_keyboard_alone_is_enough(opened: Page, desk: Desk) -> None:
    opened.get_by_label("Select a country").focus()
    for key in (*"germ", "ArrowDown", "ArrowUp", "Enter"):
        opened.keyboard.press(key)
    waits(opened, 1)
    for _ in range(20):
        opened.keyboard.press("Tab")
        if opened.evaluate("document.activeElement.id") == "reason":
            break
    opened.keyboard.type("a launch")
    opened.keyboard.press("Enter")
    expect(opened.get_by_text("Saved as revision 2.")).to_be_visible()
    assert desk.history()[0]["reason"] == "a launch"


def test_a_freeze_is_seen_on_every_page_until_the_thaw(opened: Page, desk: Desk) -> None:
    freeze = opened.locator("section", has=opened.locator("#suspend"))
    freeze.get_by_label("Reason").fill("a key leaked")
    freeze.get_by_role("button", name="Suspend all sends").click()
    expect(opened.get_by_text("This workspace is suspended")).to_be_visible()
    assert desk.gateway.send(desk.tenant).status_code == 403
    freeze.get_by_label("Reason").fill("revoked")
    freeze.get_by_role("button", name="Resume").click()
    expect(opened.get_by_text("This workspace is suspended")).to_have_count(0)
    assert desk.gateway.send(desk.tenant).status_code == 201


def test_a_viewer_sees_the_map_and_can_change_nothing(page: Page, desk: Desk) -> None:
    sign_in(page, desk, Role.VIEWER)
    page.goto(PAGE)
    click_on_map(page, "BR")
    expect(page.get_by_text("Changes require the admin role")).to_be_visible()
    assert page.locator("main button, main select, main input").count() == 0
    axe_clean(page)


@EACH_SIZE
@pytest.mark.parametrize("below", ["rules", "inheritance", "history", "history/2"])
def test_the_pages_beside_it_are_accessible_and_fit(
    opened: Page, desk: Desk, viewport: ViewportSize, below: str
) -> None:
    desk.allow("FR", X_Change_Reason="a launch")
    desk.add_rule("prefix", "+23276", "blocked", reason="pumped")
    desk.gateway.send(desk.tenant, to="+5511961234567")
    opened.goto(f"{PAGE}/{below}")
    assert opened.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    axe_clean(opened)


@pytest.fixture
def plain(browser: Browser, site: Site) -> Iterator[Page]:
    """A browser that runs no scripts."""
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_without_scripts_the_same_steps_do_the_same(plain: Page, desk: Desk) -> None:
    sign_in(plain, desk)
    plain.goto(PAGE)
    plain.get_by_label("Select a country").select_option("FR")
    save(plain)
    waits(plain, 1)
    plain.get_by_role("button", name="Remove United States").click()
    waits(plain, 2)
    assert desk.revision == 1
    save(plain)
    expect(plain.get_by_text("Saved as revision 2.")).to_be_visible()
    assert desk.destinations == {"US": "blocked", "FR": "allowed"}
    expect(plain.locator("#map-section")).to_be_hidden()
