"""Signing in, the menu and the own account, as a person meets them."""

import re

import pyotp
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.access.principal import Role
from support.accessibility import axe_clean
from support.browser import EACH_SIZE, FIRST_VIEW_BYTES, Complaints, transferred_bytes
from support.console import PASSWORD, make_user
from support.site import Site

SIGN_IN = "/console/sign-in"


def person(site: Site, email: str, **roles: Role) -> str:
    """Somebody of the organization, by role in the site's workspace or everywhere."""
    by_place = {
        None if name == "everywhere" else site.tenant.workspace_id: role
        for name, role in roles.items()
    }
    make_user(site.factory, site.tenant.organization_id, by_place, email=email)
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def forgive(complaints: Complaints, status: int) -> None:
    """The browser names the answer, and nothing else."""
    assert all(f"status of {status}" in one for one in complaints.found), complaints.found
    complaints.found.clear()


def open_menu(page: Page) -> None:
    """On a narrow window the menu is closed at first."""
    # After a sign-in, the page before may still be shown; it has no menu.
    page.locator("a.brand").wait_for()
    summary = page.get_by_text("Menu", exact=True)
    if summary.is_visible():
        summary.click()


@EACH_SIZE
def test_sign_in_returns_to_the_wanted_page(
    page: Page, site: Site, complaints: Complaints, viewport: ViewportSize
) -> None:
    email = person(site, f"ada{viewport['width']}@example.com", everywhere=Role.OWNER)
    page.goto("/console/opt-outs")
    expect(page).to_have_url(re.compile(r"/console/sign-in\?next=%2Fconsole%2Fopt-outs$"))
    axe_clean(page)
    sign_in(page, email, "wrong horse battery")
    expect(page.get_by_role("alert")).to_contain_text("E-mail or password is wrong.")
    axe_clean(page)
    forgive(complaints, 403)
    sign_in(page, email)
    expect(page.get_by_role("heading", level=1)).to_have_text("Opt-outs")


@EACH_SIZE
def test_both_ways_of_the_menu_lead_to_manage_destinations(
    page: Page, site: Site, viewport: ViewportSize
) -> None:
    email = person(site, f"bo{viewport['width']}@example.com", here=Role.VIEWER)
    page.goto(SIGN_IN)
    sign_in(page, email)
    for place in (0, 1):
        open_menu(page)
        page.get_by_role("link", name="Manage Destinations").nth(place).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Manage Destinations")
        page.goto("/console")


@EACH_SIZE
def test_the_own_account_and_its_second_factor(
    page: Page, site: Site, browser: Browser, viewport: ViewportSize
) -> None:
    email = person(site, f"cy{viewport['width']}@example.com", here=Role.VIEWER)
    page.goto(SIGN_IN)
    sign_in(page, email)
    assert transferred_bytes(page, "/console/account") < FIRST_VIEW_BYTES
    axe_clean(page)
    page.locator("#factor-password").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("img", name="QR code of the secret below")).to_be_visible()
    axe_clean(page)
    secret = page.locator("main code").inner_text()
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("status")).to_contain_text("The second factor is on")
    axe_clean(page)
    recovery_code = page.locator("#recovery-codes code").first.inner_text()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("10 recovery codes left")).to_be_visible()
    axe_clean(page)
    with browser.new_context(base_url=site.url, java_script_enabled=False) as elsewhere:
        other = elsewhere.new_page()
        other.goto(SIGN_IN)
        sign_in(other, email)
        expect(other.get_by_role("heading", level=1)).to_have_text("Second factor")
        other.get_by_label("Code from your authenticator app").fill(recovery_code)
        other.get_by_role("button", name="Continue").click()
        expect(other.get_by_role("heading", level=1)).to_have_text("Overview")


def test_missing_page_links_back(page: Page, complaints: Complaints) -> None:
    page.goto("/console/nowhere")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    axe_clean(page)
    forgive(complaints, 404)
