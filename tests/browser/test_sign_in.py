"""Signing in, the menu and the own account, as a person meets them."""

import re

import pyotp
from playwright.sync_api import Page, expect

from app.access.principal import Role
from app.kernel.ids import new_id
from support.accessibility import axe_clean, looks_well
from support.browser import (
    BOTH_WAYS,
    EACH_MANNER,
    FIRST_VIEW_BYTES,
    Complaints,
    sends,
    transferred_bytes,
)
from support.console import PASSWORD, make_user
from support.site import Site

SIGN_IN = "/console/sign-in"
ACCOUNT = "/console/account"
NEW_PASSWORD = "another horse battery"


def person(site: Site, **roles: Role) -> str:
    """Somebody of the organization, by role in the site's workspace or everywhere; the e-mail."""
    by_place = {
        None if name == "everywhere" else site.tenant.workspace_id: role
        for name, role in roles.items()
    }
    email = f"{new_id()}@example.com"
    make_user(site.factory, site.tenant.organization_id, by_place, email=email)
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def open_menu(page: Page) -> None:
    """On a narrow window the menu is closed at first."""
    # After a sign-in, the page before may still be shown; it has no menu.
    page.locator("a.brand").wait_for()
    menu = page.get_by_role("button", name="Menu", exact=True)
    if menu.is_visible():
        menu.click()


@BOTH_WAYS
@sends("/sign-in", "/sign-out")
def test_sign_in_returns_to_the_wanted_page(page: Page, site: Site, complaints: Complaints) -> None:
    email = person(site, everywhere=Role.OWNER)
    page.goto("/console/opt-outs")
    expect(page).to_have_url(re.compile(r"/console/sign-in\?next=%2Fconsole%2Fopt-outs$"))
    looks_well(page)
    sign_in(page, email, "wrong horse battery")
    expect(page.get_by_role("alert")).to_contain_text("E-mail or password is wrong.")
    axe_clean(page)
    complaints.forgive(403)
    sign_in(page, email)
    expect(page.get_by_role("heading", level=1)).to_have_text("Opt-outs")
    open_menu(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_text("Sign in with an access key").click()
    page.get_by_label("Access key").fill(site.tenant.keys[Role.VIEWER])
    page.get_by_role("button", name="Sign in with key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


@EACH_MANNER
def test_both_ways_of_the_menu_lead_to_manage_destinations(page: Page, site: Site) -> None:
    email = person(site, here=Role.VIEWER)
    page.goto(SIGN_IN)
    sign_in(page, email)
    for place in (0, 1):
        open_menu(page)
        page.get_by_role("link", name="Manage Destinations").nth(place).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Manage Destinations")
        page.goto("/console")


def turn_on_second_factor(page: Page) -> list[str]:
    """Set the second factor up on the page of the account; the recovery codes that are shown."""
    page.goto(ACCOUNT)
    looks_well(page)
    page.locator("#factor-password").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("img", name="QR code of the secret below")).to_be_visible()
    looks_well(page)
    secret = page.locator("main code").inner_text()
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("status")).to_contain_text("The second factor is on")
    looks_well(page)
    codes = page.locator("#recovery-codes code").all_inner_texts()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("10 recovery codes left")).to_be_visible()
    looks_well(page)
    return codes


@BOTH_WAYS
@sends(
    "/account/second-factor/start",
    "/account/second-factor",
    "/account/second-factor/remove",
    "/account/recovery-codes",
    "/account/sessions/end",
    "/account/password",
    "/sign-in/code",
)
def test_the_own_account_and_its_second_factor(page: Page, site: Site) -> None:
    email = person(site, here=Role.VIEWER)
    heading = page.get_by_role("heading", level=1)
    page.goto(SIGN_IN)
    sign_in(page, email)
    expect(heading).to_have_text("Overview")
    codes = turn_on_second_factor(page)

    page.context.clear_cookies()  # as another browser
    page.goto(SIGN_IN)
    sign_in(page, email)
    expect(heading).to_have_text("Second factor")
    looks_well(page)
    page.get_by_label("Code from your authenticator app").fill(codes[0])
    page.get_by_role("button", name="Continue").click()
    expect(heading).to_have_text("Overview")
    page.goto(ACCOUNT)
    page.get_by_role("button", name="Sign out other sessions").click()
    expect(page.get_by_text("Your other sessions are signed out.", exact=True)).to_be_visible()

    page.locator("summary", has_text="New recovery codes").click()
    page.locator("#recovery-password").fill(PASSWORD)
    page.locator("#recovery-code").fill(codes[1])
    page.get_by_role("button", name="Create new codes").click()
    expect(page.get_by_text("Your earlier codes no longer work.")).to_be_visible()
    expect(page.locator("#recovery-codes code")).to_have_count(10)
    codes = page.locator("#recovery-codes code").all_inner_texts()
    page.goto(ACCOUNT)
    page.locator("summary", has_text="Turn off").click()
    page.locator("#remove-password").fill(PASSWORD)
    page.locator("#remove-code").fill(codes[0])
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_text("Second factor turned off.")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Password changed.")).to_be_visible()
    page.context.clear_cookies()
    page.goto(SIGN_IN)
    sign_in(page, email, NEW_PASSWORD)
    expect(heading).to_have_text("Overview")


def test_the_pages_before_a_sign_in_are_light(page: Page) -> None:
    for path in (SIGN_IN, f"{SIGN_IN}/code", f"{SIGN_IN}/link?token=none"):
        assert transferred_bytes(page, path) < FIRST_VIEW_BYTES, path


@BOTH_WAYS
def test_missing_page_links_back(page: Page, complaints: Complaints) -> None:
    page.goto("/console/nowhere")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    looks_well(page)
    complaints.forgive(404)
