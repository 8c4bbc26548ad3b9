"""Manage Destinations and Provider check in a browser, with scripts and without."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.access.principal import Role
from app.destinations.geo_permissions.store import replace_permissions
from app.kernel.countries import COUNTRIES
from app.kernel.ids import new_id
from app.providers.port import GeoPermission
from support.accessibility import axe_clean
from support.browser import (
    DESKTOP,
    EACH_SIZE,
    FIRST_VIEW_BYTES,
    Complaints,
    pixels_beyond_window,
    transferred_bytes,
)
from support.destinations import PolicyClient
from support.geo import permissions_at_twilio
from support.site import Site, enter

PAGE = "/console/destinations"


@pytest.fixture
def policy(site: Site) -> PolicyClient:
    """A workspace of this test alone, whose account calls Pakistan high-risk."""
    account = f"AC{new_id().hex}"
    tenant = site.factory.tenant(
        site.factory.organization(f"Acme {new_id()}", ("KP",)), account_sid=account
    )
    permissions = [GeoPermission("US", True), GeoPermission("PK", False, True)]
    with site.factory.database.writing() as connection:
        replace_permissions(
            connection, account, permissions_at_twilio(permissions), site.factory.now
        )
    return PolicyClient(site.gateway, tenant, site.factory)


@pytest.fixture
def opened(page: Page, site: Site, policy: PolicyClient) -> Page:
    """The page, opened by an admin."""
    enter(page, site, policy.tenant.keys[Role.ADMIN])
    page.goto(PAGE)
    return page


def select(page: Page, text: str) -> None:
    # Until the script has run, a select stands in its place.
    box = page.get_by_role("combobox", name="Select a country").and_(page.locator("input"))
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
def test_the_first_view_is_light_accessible_and_fits(opened: Page, policy: PolicyClient) -> None:
    policy.allow("FR", "PK")
    policy.allow_until("2099-01-01T00:00:00Z", "JP")
    for path in (PAGE, "/console/provider"):
        fresh = opened.context.browser.new_context(  # type: ignore[union-attr]  # nothing cached
            base_url=opened.url.partition("/console")[0],
            storage_state=opened.context.storage_state(),
        ).new_page()
        assert transferred_bytes(fresh, path) < FIRST_VIEW_BYTES, path
        fresh.context.close()
        opened.goto(path)
        assert pixels_beyond_window(opened) == 0
        axe_clean(opened)


@EACH_SIZE
def test_a_country_is_allowed_and_another_blocked_by_save(
    opened: Page, policy: PolicyClient
) -> None:
    select(opened, "+33")
    opened.get_by_role("button", name="Remove United States").click()
    expect(opened.locator('li[data-code="US"] .note')).to_have_text("will be blocked")
    waits(opened, 2)
    assert policy.destinations == {"US": "allowed"}
    axe_clean(opened)
    save(opened)
    expect(opened.get_by_text("Saved as revision 2.")).to_be_visible()
    assert policy.destinations == {"US": "blocked", "FR": "allowed"}


@EACH_SIZE
def test_the_select_is_searched_by_name_code_and_calling_code(
    opened: Page, policy: PolicyClient
) -> None:
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
    assert policy.revision == 1


@EACH_SIZE
def test_click_on_the_map_selects_and_another_deselects(opened: Page, policy: PolicyClient) -> None:
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
    assert policy.destinations == {"US": "allowed", "SG": "allowed"}
    expect(opened.locator('#map svg > [id="SG"]')).to_have_class("allowed")
    expect(opened.locator('#map svg > [id="SG"] title')).to_have_text("Singapore (SG): allowed")


@EACH_SIZE
def test_leaving_with_unsaved_changes_asks_first(opened: Page, viewport: ViewportSize) -> None:
    """Break: leave out the listener of `beforeunload` or that of `click`, or let the menu stay."""
    asked: list[str] = []
    opened.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    select(opened, "france")
    waits(opened, 1)
    if viewport["width"] < DESKTOP["width"]:
        opened.get_by_role("button", name="Menu", exact=True).click()
    opened.locator("nav").get_by_role("link", name="Messages").click()
    expect(opened.get_by_text("Your changes are not saved.")).to_be_visible()
    opened.close(run_before_unload=True)
    expect(opened.locator("#changes-heading")).to_be_visible()
    assert asked == ["beforeunload"]
    opened.get_by_role("link", name="Leave without saving").click()
    expect(opened.get_by_role("heading", level=1)).to_have_text("Messages")
    assert asked == ["beforeunload"]


@EACH_SIZE
def test_a_temporary_allowance_counts_down(opened: Page, policy: PolicyClient) -> None:
    opened.get_by_label("Duration").select_option("4")
    select(opened, "japan")
    waits(opened, 1)
    save(opened)
    chip = opened.locator('li[data-code="JP"]')
    expect(chip).to_contain_text(re.compile(r"until .+[34]:\d\d:\d\d left"))
    assert policy.destinations == {"US": "allowed"}


@EACH_SIZE
def test_a_high_risk_country_is_acknowledged_first(
    opened: Page, policy: PolicyClient, complaints: Complaints
) -> None:
    select(opened, "pakistan")
    waits(opened, 1)
    save(opened)
    expect(opened.get_by_text("Select this to save")).to_be_visible()
    complaints.found.clear()  # the browser tells of the 422
    axe_clean(opened)
    assert policy.revision == 1
    opened.get_by_label("I understand that Pakistan is high-risk").check()
    save(opened)
    expect(opened.get_by_text("Saved as revision 2.")).to_be_visible()


@EACH_SIZE
def test_later_save_chooses_between_both_changes(
    opened: Page, policy: PolicyClient, complaints: Complaints
) -> None:
    select(opened, "france")
    waits(opened, 1)
    policy.allow("DE", X_Change_Reason="a launch")
    save(opened)
    conflict = opened.get_by_role("alert", name="Someone else saved changes")
    expect(conflict).to_contain_text("a launch")
    complaints.found.clear()  # the browser tells of the 412
    axe_clean(opened)
    conflict.get_by_role("button", name="Keep theirs and save mine on top").click()
    expect(opened.get_by_text("Saved as revision 3.")).to_be_visible()
    assert policy.destinations == dict.fromkeys(("US", "DE", "FR"), "allowed")


@EACH_SIZE
def test_the_keyboard_alone_is_enough(opened: Page, policy: PolicyClient) -> None:
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
    assert policy.history()[0]["reason"] == "a launch"


@EACH_SIZE
def test_sends_are_suspended_and_resumed_from_every_page(
    opened: Page, policy: PolicyClient
) -> None:
    opened.goto("/console/messages")
    opened.get_by_role("button", name="Suspend sends").click()
    asking = opened.get_by_role("region", name="Suspend all sends of")
    axe_clean(opened)
    asking.get_by_label("Reason").fill("a key leaked")
    asking.get_by_role("button", name="Suspend sends").click()
    expect(opened.get_by_role("heading", level=1)).to_have_text("Messages")
    assert policy.gateway.send(policy.tenant).status_code == 403
    opened.goto("/console/guards")
    notice = opened.get_by_role("status").filter(has_text="This workspace is suspended")
    expect(notice).to_contain_text("a key leaked")
    notice.get_by_label("Reason").fill("revoked")
    notice.get_by_role("button", name="Resume").click()
    expect(opened.get_by_text("This workspace is suspended")).to_have_count(0)
    assert policy.gateway.send(policy.tenant).status_code == 201


@EACH_SIZE
def test_a_viewer_sees_the_map_and_can_change_nothing(
    page: Page, site: Site, policy: PolicyClient
) -> None:
    enter(page, site, policy.tenant.keys[Role.VIEWER])
    page.goto(PAGE)
    click_on_map(page, "BR")
    expect(page.get_by_text("Changes require the admin role")).to_be_visible()
    assert page.locator("main button, main select, main input").count() == 0
    axe_clean(page)


@EACH_SIZE
@pytest.mark.parametrize("below", ["rules", "inheritance", "history", "history/2"])
def test_other_pages_are_accessible_and_fit(opened: Page, policy: PolicyClient, below: str) -> None:
    policy.allow("FR", X_Change_Reason="a launch")
    policy.add_rule("prefix", "+23276", "blocked", reason="pumped")
    policy.gateway.send(policy.tenant, to="+5511961234567")
    opened.goto(f"{PAGE}/{below}")
    assert pixels_beyond_window(opened) == 0
    axe_clean(opened)


@pytest.fixture
def plain(browser: Browser, site: Site, viewport: ViewportSize) -> Iterator[Page]:
    """A browser that runs no scripts."""
    context = browser.new_context(base_url=site.url, java_script_enabled=False, viewport=viewport)
    yield context.new_page()
    context.close()


@EACH_SIZE
def test_without_scripts_the_same_steps_do_the_same(
    plain: Page, site: Site, policy: PolicyClient
) -> None:
    enter(plain, site, policy.tenant.keys[Role.ADMIN])
    plain.goto(PAGE)
    plain.get_by_label("Select a country").select_option("FR")
    save(plain)
    waits(plain, 1)
    plain.get_by_role("button", name="Remove United States").click()
    waits(plain, 2)
    assert policy.revision == 1
    save(plain)
    expect(plain.get_by_text("Saved as revision 2.")).to_be_visible()
    assert policy.destinations == {"US": "blocked", "FR": "allowed"}
    expect(plain.locator("#map-section")).to_be_hidden()
