"""Manage Destinations and Provider check in a browser, with scripts and without."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.access.principal import Role
from app.destinations.geo_permissions.check import CheckProvider
from app.destinations.geo_permissions.store import replace_permissions
from app.kernel.countries import COUNTRIES
from app.providers.port import GeoPermission
from app.web.registry import register_service
from support.accessibility import axe_clean, looks_well
from support.browser import (
    BOTH_WAYS,
    EACH_MANNER,
    EACH_SIZE,
    FIRST_VIEW_BYTES,
    Complaints,
    Manner,
    at_each_size,
    sends,
    transferred_bytes,
)
from support.destinations import PolicyClient
from support.geo import FakeGeo, permissions_at_twilio, permits
from support.site import Site, enter

PAGE = "/console/destinations"
PROVIDER = "/console/provider"


@pytest.fixture
def policy(policy: PolicyClient) -> PolicyClient:
    """The test's workspace, whose account calls Pakistan high-risk."""
    permissions = [GeoPermission("US", True), GeoPermission("PK", False, True)]
    with policy.factory.database.writing() as connection:
        replace_permissions(
            connection,
            policy.tenant.account_sid,
            permissions_at_twilio(permissions),
            policy.factory.now,
        )
    return policy


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


@pytest.fixture
def choose(opened: Page, manner: Manner) -> Callable[[str, str], None]:
    """Select a country by its code; what a script searches for is its name."""

    def choose(code: str, name: str) -> None:
        if manner.runs_scripts:
            select(opened, name)
        else:
            opened.get_by_label("Select a country").select_option(code)
            opened.get_by_role("button", name="Add", exact=True).click()

    return choose


def save(page: Page) -> None:
    page.locator("#changes").get_by_role("button", name="Save").click()


def waits(page: Page, changes: int) -> None:
    """Wait until the effect of so many changes is shown."""
    heading = re.compile(f"^{changes} changes?, not saved yet")
    expect(page.locator("#changes-heading")).to_have_text(heading)


def click_on_map(page: Page, code: str) -> None:
    page.locator(f'#map svg > [id="{code}"]').click()


def test_every_page_is_light_accessible_and_fits(opened: Page, policy: PolicyClient) -> None:
    policy.allow("FR", "PK", X_Change_Reason="a launch")
    policy.allow_until("2099-01-01T00:00:00Z", "JP")
    policy.add_rule("prefix", "+23276", "blocked", reason="pumped")
    policy.gateway.send(policy.tenant, to="+5511961234567")
    below = ("", "/rules", "/inheritance", "/history", "/history/2")
    for path in (*(PAGE + one for one in below), PROVIDER):
        assert transferred_bytes(opened, path) < FIRST_VIEW_BYTES, path
        for _ in at_each_size(opened):
            looks_well(opened)


@EACH_MANNER
@sends("/destinations")
def test_a_country_is_allowed_and_another_blocked_by_save(
    opened: Page, policy: PolicyClient, manner: Manner, choose: Callable[[str, str], None]
) -> None:
    choose("FR", "+33")
    waits(opened, 1)
    opened.get_by_role("button", name="Remove United States").click()
    expect(opened.locator('li[data-code="US"] .note')).to_have_text("will be blocked")
    waits(opened, 2)
    assert policy.destinations == {"US": "allowed"}
    looks_well(opened)
    if not manner.runs_scripts:
        axe_clean(opened)  # its select is another element
    opened.get_by_label("Reason (optional), shown in History").fill("a launch")
    save(opened)
    expect(opened.get_by_text("Saved as revision 2.")).to_be_visible()
    assert policy.destinations == {"US": "blocked", "FR": "allowed"}
    assert policy.history()[0]["reason"] == "a launch"


@EACH_SIZE
@sends("/destinations/preview")
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
    world = opened.locator("#map").get_by_role("img", name="World map of the destinations")
    expect(world.locator("> [id]")).to_have_count(len(COUNTRIES))
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
def test_leaving_with_unsaved_changes_asks_first(opened: Page, manner: Manner) -> None:
    """Break: leave out the listener of `beforeunload` or that of `click`, or let the menu stay."""
    page = opened.context.new_page()  # its dialogs are its own
    page.set_viewport_size({"width": manner.width, "height": manner.height})
    page.goto(PAGE)
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    select(page, "france")
    waits(page, 1)
    if manner.is_phone:
        page.get_by_role("button", name="Menu", exact=True).click()
    page.locator("nav").get_by_role("link", name="Messages").click()
    expect(page.get_by_text("Your changes are not saved.")).to_be_visible()
    page.close(run_before_unload=True)
    expect(page.locator("#changes-heading")).to_be_visible()
    assert asked == ["beforeunload"]
    page.get_by_role("link", name="Leave without saving").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Messages")
    assert asked == ["beforeunload"]


@BOTH_WAYS
def test_a_temporary_allowance_shows_its_end_and_a_high_risk_country_is_acknowledged_first(
    opened: Page,
    policy: PolicyClient,
    complaints: Complaints,
    manner: Manner,
    choose: Callable[[str, str], None],
) -> None:
    opened.get_by_label("Duration").select_option("4")
    choose("JP", "japan")
    waits(opened, 1)
    save(opened)
    chip = opened.locator('li[data-code="JP"]')
    shown = r"until .+[34]:\d\d:\d\d left" if manner.runs_scripts else r"until .+ UTC"
    expect(chip).to_contain_text(re.compile(shown))
    assert policy.destinations == {"US": "allowed"}
    choose("PK", "pakistan")
    waits(opened, 1)
    save(opened)
    expect(opened.get_by_text("Select this to save")).to_be_visible()
    complaints.forgive(422)
    axe_clean(opened)
    assert policy.revision == 2
    opened.get_by_label("I understand that Pakistan is high-risk").check()
    save(opened)
    expect(opened.get_by_text("Saved as revision 3.")).to_be_visible()


@BOTH_WAYS
def test_later_save_chooses_between_both_changes(
    opened: Page,
    policy: PolicyClient,
    complaints: Complaints,
    choose: Callable[[str, str], None],
) -> None:
    choose("FR", "france")
    waits(opened, 1)
    policy.allow("DE", X_Change_Reason="a launch")
    save(opened)
    conflict = opened.get_by_role("alert", name="Someone else saved changes")
    expect(conflict).to_contain_text("a launch")
    complaints.forgive(412)
    looks_well(opened)
    conflict.get_by_role("button", name="Keep theirs and save mine on top").click()
    expect(opened.get_by_text("Saved as revision 3.")).to_be_visible()
    assert policy.destinations == dict.fromkeys(("US", "DE", "FR"), "allowed")


def test_a_change_that_cannot_be_made_is_said_at_the_field(
    opened: Page, complaints: Complaints
) -> None:
    opened.locator("#pending-changes input[name=csrf_token]").evaluate("one => one.value = 'other'")
    select(opened, "Canada")
    problem = opened.get_by_role("alert")
    expect(problem).to_have_text("The change could not be made. Reload the page and try again.")
    complaints.forgive(400)


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


@EACH_MANNER
@sends("/destinations/suspend", "/destinations/resume")
def test_sends_are_suspended_and_resumed_from_every_page(
    opened: Page, policy: PolicyClient
) -> None:
    opened.goto("/console/messages")
    opened.get_by_role("button", name="Suspend sends").click()
    asking = opened.get_by_role("region", name="Suspend all sends of")
    looks_well(opened)
    asking.get_by_label("Reason").fill("a key leaked")
    asking.get_by_role("button", name="Suspend sends").click()
    notice = opened.get_by_role("status").filter(has_text="This workspace is suspended")
    expect(notice).to_contain_text("a key leaked")
    expect(opened.get_by_role("heading", level=1)).to_have_text("Messages")
    assert policy.gateway.send(policy.tenant).status_code == 403
    opened.goto(PAGE)
    looks_well(opened)
    notice.get_by_label("Reason").fill("revoked")
    notice.get_by_role("button", name="Resume").click()
    expect(opened.get_by_text("This workspace is suspended")).to_have_count(0)
    assert policy.gateway.send(policy.tenant).status_code == 201


@BOTH_WAYS
def test_a_viewer_sees_the_destinations_and_can_change_nothing(
    page: Page, site: Site, policy: PolicyClient, manner: Manner
) -> None:
    enter(page, site, policy.tenant.keys[Role.VIEWER])
    page.goto(PAGE)
    expect(page.get_by_text("Changes require the admin role")).to_be_visible()
    if manner.runs_scripts:
        click_on_map(page, "BR")
    else:
        expect(page.locator("#map-section")).to_be_hidden()
    expect(page.locator("main button, main select, main input")).to_have_count(0)
    axe_clean(page)


@BOTH_WAYS
@sends(
    "/destinations/rules",
    "/destinations/rules/{rule_id}/remove",
    "/destinations/history/{revision}/restore",
)
def test_a_rule_is_added_and_removed_and_its_revision_restored(
    opened: Page, policy: PolicyClient
) -> None:
    opened.get_by_role("link", name="Rules", exact=True).click()
    expect(opened.get_by_role("heading", name="No rules")).to_be_visible()
    opened.get_by_label("Value").fill("+23276")
    opened.get_by_role("button", name="Preview effect").click()
    expect(opened.get_by_role("heading", name="Add this rule?")).to_be_visible()
    looks_well(opened)
    opened.get_by_role("button", name="Add rule").click()
    opened.get_by_role("button", name=re.compile(r"Remove \+23276")).click()
    expect(opened.get_by_role("heading", name="Remove this rule?")).to_be_visible()
    looks_well(opened)
    opened.get_by_role("button", name="Remove rule").click()
    expect(opened.get_by_role("heading", name="No rules")).to_be_visible()
    opened.get_by_role("link", name="History", exact=True).click()
    opened.get_by_role("rowheader", name="2", exact=True).get_by_role("link").click()
    expect(opened.get_by_role("heading", name="Restore this revision")).to_be_visible()
    opened.get_by_role("button", name="Restore revision 2").click()
    expect(opened.get_by_role("status")).to_contain_text("4")
    assert [rule["value"] for rule in policy.get("/rules")["items"]] == ["+23276"]


@BOTH_WAYS
@sends("/destinations/inheritance", "/move")
def test_a_workspace_inherits_and_stops_and_the_parent_is_a_step_away(
    page: Page, site: Site, policy: PolicyClient, manner: Manner
) -> None:
    child = policy.a_colleague(name="Child", parent_id=policy.tenant.workspace_id)
    enter(page, site, site.factory.keys(policy.tenant.organization_id, None)[Role.OWNER])
    page.goto(PAGE)
    for name in ("Retail", "Child"):  # the first one by its name is shown at first
        if manner.runs_scripts:  # the script submits what is selected, once it has run
            expect(page.locator("html.has-scripts")).to_be_attached()
        page.get_by_label("Workspace").select_option(name)
        if not manner.runs_scripts:
            page.get_by_role("button", name="Switch").click()
        expect(page.locator("#workspace option[selected]")).to_have_text(name)
    page.goto(f"{PAGE}/inheritance")
    looks_well(page)
    page.get_by_role("button", name="Inherit from parent").click()
    expect(page.get_by_text("This workspace inherits the destinations")).to_be_visible()
    assert child.get("/inheritance")["inherit"] is True
    page.goto(PAGE)
    looks_well(page)
    page.goto(f"{PAGE}/inheritance")
    page.get_by_role("button", name="Stop inheriting").click()
    expect(page.get_by_role("button", name="Inherit from parent")).to_be_visible()
    assert child.get("/inheritance")["inherit"] is False


@BOTH_WAYS
@sends("/provider", "/provider/align")
def test_twilio_is_read_and_changed_after_an_acknowledgement(
    opened: Page, site: Site, policy: PolicyClient
) -> None:
    source = FakeGeo({policy.tenant.account_sid: permits(US=True, FR=False, FI=True)})
    services = site.gateway.services
    register_service(
        site.gateway.client.application,
        CheckProvider(services.database, source, services.clock),
    )
    policy.allow("FR")
    opened.goto(PROVIDER)
    opened.get_by_role("button", name="Refresh from Twilio").click()
    closed = opened.get_by_role("region", name="Countries allowed here, blocked at Twilio")
    expect(closed).to_contain_text("France")
    looks_well(opened)
    opened.get_by_role("link", name="block them here").first.click()
    waits(opened, 1)
    opened.go_back()
    opened.get_by_role("button", name="Fix at Twilio…").click()
    expect(opened.get_by_role("heading", name="Change Twilio's geo permissions?")).to_be_visible()
    looks_well(opened)
    opened.get_by_label("I understand that this changes the Twilio account").check()
    opened.get_by_role("button", name="Change at Twilio").click()
    expect(opened.get_by_text("Twilio's geo permissions match the destinations.")).to_be_visible()
    assert {(one.country, one.is_open) for one in source.wanted} == {("FR", True), ("FI", False)}
