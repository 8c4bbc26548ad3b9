"""The pages of keys, workspaces, people and the audit in a browser: usable, and for everyone."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.access.principal import Role
from app.access.tables import access_keys
from support.accessibility import axe_clean
from support.browser import (
    EACH_SIZE,
    FIRST_VIEW_BYTES,
    pixels_beyond_window,
    scrolling_sideways,
    transferred_bytes,
)
from support.console import make_user
from support.site import Site, enter

KEYS = "/console/access-keys"


@pytest.fixture(scope="module")
def owner_key(site: Site) -> str:
    """A key of an owner of the organization, which has somebody with an account too."""
    organization_id = site.tenant.organization_id
    make_user(site.factory, organization_id, {site.tenant.workspace_id: Role.ADMIN})
    return site.factory.keys(organization_id, None)[Role.OWNER]


@pytest.fixture
def owner(page: Page, site: Site, owner_key: str) -> Page:
    """A page that is signed in."""
    enter(page, site, owner_key)
    return page


@pytest.fixture
def plain(browser: Browser, owner_key: str, site: Site, viewport: ViewportSize) -> Iterator[Page]:
    """The same in a browser that runs no scripts."""
    with browser.new_context(
        java_script_enabled=False, viewport=viewport, base_url=site.url
    ) as context:
        page = context.new_page()
        enter(page, site, owner_key)
        yield page


def looks_well(page: Page) -> None:
    """Nothing for axe to find, and nothing wider than the window."""
    axe_clean(page)
    assert scrolling_sideways(page) == []
    assert pixels_beyond_window(page) == 0


def test_the_finder_opens_by_its_key_and_guards_are_saved_after_a_preview(
    owner: Page, site: Site
) -> None:
    owner.goto("/console")
    expect(owner.locator("html.has-scripts")).to_be_attached()
    owner.keyboard.press("/")
    owner.keyboard.type("guards")
    owner.keyboard.press("Enter")
    expect(owner.get_by_role("heading", level=1)).to_have_text("Guards")
    owner.locator("[id='number.mode']").select_option("enforce")
    owner.locator("[id='number.hour']").fill("7")
    owner.get_by_role("button", name="Preview effect").click()
    expect(owner.get_by_role("heading", name="Effect on the last 30 days")).to_be_visible()
    axe_clean(owner)
    owner.get_by_role("button", name="Save", exact=True).click()
    expect(owner.get_by_text("Saved as revision 2.")).to_be_visible()


@EACH_SIZE
def test_every_page_is_accessible_light_and_no_wider_than_the_window(
    owner: Page, site: Site
) -> None:
    paths = [KEYS, "/console/audit", "/console/people/new", "/console/workspaces/new"]
    paths += ["/console/guards", "/console/alerts", "/console/usage", "/console/prices"]
    paths += [f"/console/guards?use_case_id={site.tenant.use_case_id}"]
    paths += ["/console/find?q=united", "/console/first-steps", "/console/account"]
    for path in paths:
        assert transferred_bytes(owner, path) < FIRST_VIEW_BYTES
        looks_well(owner)
    for path, name in (("/console/people", "Ada Example"), ("/console/workspaces", "Retail")):
        owner.goto(path)
        looks_well(owner)
        owner.get_by_role("link", name=name).click()
        expect(owner.get_by_role("heading", level=1)).to_have_text(name)
        looks_well(owner)


def test_a_token_is_copied_and_a_key_is_revoked_after_a_question(owner: Page, site: Site) -> None:
    owner.context.grant_permissions(["clipboard-read", "clipboard-write"])
    owner.goto(KEYS)
    owner.get_by_label("Name").fill("backend")
    owner.get_by_role("button", name="Create key").click()
    looks_well(owner)
    owner.get_by_role("button", name="Copy", exact=True).click()
    expect(owner.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    token = owner.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"bp_\w{38}", token)
    owner.get_by_role("button", name="Done", exact=True).click()

    def revoked() -> bool:
        rows = site.factory.rows(access_keys)
        return next(row for row in rows if row["name"] == "backend")["revoked_at"] is not None

    row = owner.get_by_role("row", name="backend")
    audit_event = row.get_by_role("button", name="Revoke key")
    expect(audit_event).to_be_hidden()
    row.locator("summary").click()
    looks_well(owner)
    assert not revoked()
    audit_event.click()
    expect(owner.get_by_role("status")).to_contain_text("backend is revoked.")
    assert revoked()


@EACH_SIZE
def test_a_person_is_invited_and_chooses_a_password(
    owner: Page, browser: Browser, site: Site, viewport: ViewportSize
) -> None:
    email = f"bo{viewport['width']}@example.com"
    owner.goto("/console/people/new")
    owner.get_by_label("E-mail").fill(email)
    owner.get_by_label("In all workspaces").select_option("viewer")
    owner.get_by_role("button", name="Add person").click()
    looks_well(owner)
    link = owner.locator("#secret").inner_text()
    assert link.startswith(f"{site.url}/console/sign-in/link?token=")
    with browser.new_context(java_script_enabled=False, viewport=viewport) as context:
        theirs = context.new_page()
        theirs.goto(link)
        theirs.get_by_label("New password").fill("another horse battery")
        theirs.get_by_role("button", name="Set password and sign in").click()
        expect(theirs.get_by_role("heading", level=1)).to_have_text("Overview")
    owner.goto(link)
    expect(owner.get_by_role("alert")).to_contain_text("expired or was used")
    looks_well(owner)


@EACH_SIZE
def test_guards_of_a_use_case_and_prices_are_changed_without_scripts(
    plain: Page, site: Site
) -> None:
    plain.goto(f"/console/guards?use_case_id={site.tenant.use_case_id}")
    plain.locator("[id='number.mode']").select_option("enforce")
    plain.get_by_role("button", name="Preview effect").click()
    plain.get_by_role("button", name="Save", exact=True).click()
    expect(plain.get_by_text("In effect for the next send.")).to_be_visible()
    plain.goto("/console/prices")
    plain.locator("#price-country").select_option("US")
    plain.get_by_label("Price per segment").fill("0.01")
    plain.get_by_role("button", name="Preview effect").click()
    plain.get_by_role("button", name="Save", exact=True).click()
    expect(plain.get_by_role("cell", name="0.01 USD")).to_be_visible()


@EACH_SIZE
def test_a_key_and_a_rule_are_added_and_removed_without_scripts(plain: Page) -> None:
    plain.goto(KEYS)
    plain.get_by_label("Name").fill("plain")
    plain.get_by_role("button", name="Create key").click()
    assert plain.locator("#secret").inner_text().startswith("bp_")
    plain.get_by_role("button", name="Done", exact=True).click()
    row = plain.get_by_role("row", name="plain").filter(has=plain.locator("summary"))
    row.locator("summary").click()
    row.get_by_role("button", name="Revoke key").click()
    expect(plain.get_by_role("status")).to_contain_text("plain is revoked.")
    plain.goto("/console/destinations/rules")
    plain.get_by_label("Value").fill("+23276")
    plain.get_by_role("button", name="Preview effect").click()
    expect(plain.get_by_role("heading", name="Add this rule?")).to_be_visible()
    plain.get_by_role("button", name="Add rule").click()
    plain.get_by_role("button", name=re.compile(r"Remove \+23276")).click()
    plain.get_by_role("button", name="Remove rule").click()
    expect(plain.get_by_role("heading", name="No rules")).to_be_visible()


@EACH_SIZE
def test_sends_are_suspended_and_resumed_without_scripts(plain: Page, site: Site) -> None:
    plain.goto("/console/try")
    plain.get_by_label("Number").fill("+1 202 555 0123")
    plain.get_by_role("button", name="Check number").click()
    expect(plain.get_by_role("region").get_by_role("heading", level=2).first).to_be_visible()
    plain.get_by_role("button", name="Suspend sends").click()
    asking = plain.get_by_role("region", name="Suspend all sends of")
    asking.get_by_label("Reason").fill("a key leaked")
    asking.get_by_role("button", name="Suspend sends").click()
    notice = plain.get_by_role("status").filter(has_text="This workspace is suspended")
    expect(notice).to_contain_text("a key leaked")
    notice.get_by_label("Reason").fill("revoked")
    notice.get_by_role("button", name="Resume").click()
    expect(plain.get_by_text("This workspace is suspended")).to_have_count(0)


@EACH_SIZE
def test_an_endpoint_and_a_person_are_added_without_scripts(
    plain: Page, viewport: ViewportSize
) -> None:
    plain.goto("/console/webhooks")
    if not plain.get_by_label("URL").is_visible():  # it is open before the first endpoint
        plain.locator("summary", has_text="Create endpoint").click()
    plain.get_by_label("URL").fill(f"https://hooks.example.com/{viewport['width']}")
    plain.get_by_label("sms.delivered").check()
    plain.get_by_role("button", name="Create endpoint").click()
    assert plain.locator("#secret").inner_text().startswith("whsec_")
    plain.goto("/console/people/new")
    plain.get_by_label("E-mail").fill(f"plain{viewport['width']}@example.com")
    plain.get_by_label("In all workspaces").select_option("viewer")
    plain.get_by_role("button", name="Add person").click()
    assert "/console/sign-in/link?token=" in plain.locator("#secret").inner_text()
