"""The pages of an owner in a browser: keys, people, workspaces, guards, alerts, figures, audit."""

import re

import pytest
from playwright.sync_api import Page, expect

from app.access.principal import Role
from app.access.tables import access_keys
from app.guards.alerts import AlertKind, open_alert
from app.kernel.ids import new_id
from support.accessibility import axe_clean, looks_well
from support.browser import (
    BOTH_WAYS,
    EACH_MANNER,
    FIRST_VIEW_BYTES,
    Manner,
    at_each_size,
    downloaded,
    sends,
    transferred_bytes,
)
from support.console import PASSWORD, make_user
from support.destinations import PolicyClient
from support.site import Site, enter

KEYS = "/console/access-keys"
PEOPLE = "/console/people"
WORKSPACES = "/console/workspaces"


@pytest.fixture
def owner(page: Page, site: Site, policy: PolicyClient) -> Page:
    """A page that an owner of the test's organization is signed in with."""
    enter(page, site, site.factory.keys(policy.tenant.organization_id, None)[Role.OWNER])
    return page


@pytest.fixture
def paths(site: Site, policy: PolicyClient) -> list[str]:
    """The pages, each with something on it."""
    tenant = policy.tenant
    roles = {tenant.workspace_id: Role.ADMIN}
    email = f"{new_id()}@example.com"
    person_id = make_user(site.factory, tenant.organization_id, roles, email=email)
    alert(policy)
    policy.allow("FR")
    policy.gateway.send(tenant)
    return [
        *(KEYS, "/console/audit", "/console/guards", "/console/alerts", "/console/usage"),
        *("/console/prices", "/console/find?q=united", "/console/first-steps", "/console/account"),
        f"/console/guards?use_case_id={tenant.use_case_id}",
        *(PEOPLE, f"{PEOPLE}/new", f"{PEOPLE}/{person_id}"),
        *(WORKSPACES, f"{WORKSPACES}/new", f"{WORKSPACES}/{tenant.workspace_id}"),
    ]


def alert(policy: PolicyClient) -> None:
    with policy.factory.database.writing() as connection:
        workspace_id, now = policy.tenant.workspace_id, policy.factory.now
        kind = AlertKind.GEO_DRIFT
        open_alert(connection, workspace_id, kind, str(new_id()), now, details={})


def test_every_page_is_light_accessible_and_no_wider_than_the_window(
    owner: Page, paths: list[str]
) -> None:
    for path in paths:
        assert transferred_bytes(owner, path) < FIRST_VIEW_BYTES, path
        for _ in at_each_size(owner):
            looks_well(owner)


def test_the_current_page_can_be_read_in_the_menu_under_the_pointer(owner: Page) -> None:
    owner.goto(KEYS)
    current = owner.locator(".menu a[aria-current]")
    expect(current).to_have_count(1)
    current.hover()
    axe_clean(owner, within=".menu")


@EACH_MANNER
def test_a_page_is_found_by_the_finder(owner: Page, manner: Manner) -> None:
    owner.goto("/console/account")
    if manner.runs_scripts:
        expect(owner.locator("html.has-scripts")).to_be_attached()
        owner.keyboard.press("/")
        owner.keyboard.type("guards")
        owner.keyboard.press("Enter")
    else:
        if manner.is_phone:
            owner.get_by_role("button", name="Menu", exact=True).click()
        owner.locator("#find").fill("guards")
        owner.locator("#find").press("Enter")
    expect(owner.get_by_role("heading", level=1)).to_have_text("Guards")


@BOTH_WAYS
@sends("/guards")
def test_guards_are_saved_after_a_preview(owner: Page, policy: PolicyClient) -> None:
    for place in ("", f"?use_case_id={policy.tenant.use_case_id}"):
        owner.goto(f"/console/guards{place}")
        owner.locator("[id='number.mode']").select_option("enforce")
        owner.locator("[id='number.hour']").fill("7")
        owner.get_by_role("button", name="Preview effect").click()
        expect(owner.get_by_role("heading", name="Effect on the last 30 days")).to_be_visible()
        looks_well(owner)
        owner.get_by_role("button", name="Save", exact=True).click()
        expect(owner.get_by_text("In effect for the next send.")).to_be_visible()


@BOTH_WAYS
@sends("/alerts/{alert_id}/acknowledge")
def test_an_alert_is_acknowledged_and_lists_are_taken_along_as_files(
    owner: Page, policy: PolicyClient
) -> None:
    alert(policy)
    policy.gateway.send(policy.tenant)
    owner.goto("/console/usage")
    owner.get_by_role("link", name="All open alerts").click()
    owner.get_by_role("button", name="Acknowledge").click()
    expect(owner.get_by_role("button", name="Acknowledge")).to_have_count(0)
    owner.get_by_label("Status").select_option("open")
    owner.get_by_role("button", name="Filter").click()
    expect(owner).to_have_url(re.compile("state=open"))
    looks_well(owner)
    owner.goto("/console/usage")
    owner.get_by_label("Group by").select_option("country")
    owner.get_by_role("button", name="Show").click()
    expect(owner).to_have_url(re.compile("by=country"))
    looks_well(owner)
    owner.goto("/console/audit")
    owner.get_by_label("Action").select_option("alert.acknowledged")
    owner.get_by_role("button", name="Search").click()
    expect(owner.locator("main tbody tr")).to_have_count(1)
    looks_well(owner)
    assert [row["action"] for row in downloaded(owner)] == ["alert.acknowledged"]


@EACH_MANNER
@sends("/access-keys", "/access-keys/{access_key_id}/revoke")
def test_a_key_is_made_and_revoked_after_a_question(
    owner: Page, policy: PolicyClient, manner: Manner
) -> None:
    name = f"backend {new_id()}"
    owner.goto(KEYS)
    owner.get_by_label("Name").fill(name)
    owner.get_by_role("button", name="Create key").click()
    token = owner.locator("#secret")
    expect(token).to_have_text(re.compile(r"^bp_\w{38}$"))
    looks_well(owner)
    if manner.runs_scripts:
        owner.context.grant_permissions(["clipboard-read", "clipboard-write"])
        owner.get_by_role("button", name="Copy", exact=True).click()
        expect(owner.get_by_role("button", name="Copied", exact=True)).to_be_visible()
        copied = owner.evaluate("navigator.clipboard.readText()")
        expect(token).to_have_text(copied)
    owner.get_by_role("button", name="Done", exact=True).click()

    def revoked() -> bool:
        rows = policy.factory.rows(access_keys)
        return next(row for row in rows if row["name"] == name)["revoked_at"] is not None

    row = owner.get_by_role("row", name=name)
    revokes = row.get_by_role("button", name="Revoke key")
    expect(revokes).to_be_hidden()
    row.locator("summary").click()
    looks_well(owner)
    assert not revoked()
    revokes.click()
    expect(owner.get_by_role("status")).to_contain_text(f"{name} is revoked.")
    assert revoked()


@BOTH_WAYS
@sends(
    "/people",
    "/people/{user_id}/roles",
    "/people/{user_id}/reset",
    "/people/{user_id}/bar",
    "/sign-in/link",
)
def test_a_person_is_invited_chooses_a_password_and_loses_the_access(
    owner: Page, site: Site, policy: PolicyClient
) -> None:
    email = f"{new_id()}@example.com"
    heading = owner.get_by_role("heading", level=1)
    asks = owner.context.cookies()
    owner.goto(f"{PEOPLE}/new")
    owner.get_by_label("E-mail").fill(email)
    owner.get_by_label("Name").fill("Bo Example")
    owner.get_by_label("In all workspaces").select_option("viewer")
    owner.get_by_role("button", name="Add person").click()
    expect(heading).to_have_text("Person added")
    looks_well(owner)
    link = owner.locator("#secret").inner_text()
    assert link.startswith(f"{site.url}/console/sign-in/link?token=")

    owner.context.clear_cookies()  # as another browser
    owner.goto(link)
    expect(heading).to_have_text("Set your password")
    looks_well(owner)
    owner.get_by_label("New password").fill(PASSWORD)
    owner.get_by_role("button", name="Set password and sign in").click()
    expect(heading).to_have_text("Overview")
    owner.goto(link)
    expect(owner.get_by_role("alert")).to_contain_text("expired or was used")
    looks_well(owner)

    owner.context.clear_cookies()
    owner.context.add_cookies(asks)  # type: ignore[arg-type]  # as they were read
    owner.goto(PEOPLE)
    owner.get_by_role("link", name="Bo Example").click()
    owner.get_by_label("In all workspaces").select_option("admin")
    owner.get_by_role("button", name="Save roles").click()
    expect(owner.get_by_text("Roles saved.")).to_be_visible()
    expect(owner.get_by_label("In all workspaces")).to_have_value("admin")
    owner.locator("summary", has_text="Disable Bo Example").click()
    looks_well(owner)
    owner.get_by_role("button", name="Disable user").click()
    expect(owner.locator(".facts")).to_contain_text("Disabled")
    owner.locator("summary", has_text="Re-enable with link").click()
    owner.get_by_role("button", name="Create link").click()
    expect(heading).to_have_text("Sign-in reset")
    looks_well(owner)


@BOTH_WAYS
@sends(
    "/workspaces",
    "/workspaces/{workspace_id}",
    "/workspaces/{workspace_id}/account",
    "/workspaces/{workspace_id}/account/unlink",
    "/move",
)
def test_a_workspace_is_created_changed_and_shown(owner: Page) -> None:
    heading = owner.get_by_role("heading", level=1)
    owner.goto(WORKSPACES)
    owner.get_by_role("button", name="Create workspace").click()
    owner.get_by_label("Name").fill("Shop")
    owner.get_by_label("Home country").select_option("DE")
    owner.get_by_role("button", name="Create workspace").click()
    expect(heading).to_have_text("Shop")
    owner.get_by_label("Account SID").fill(f"AC{new_id().hex}")
    owner.get_by_label("Auth token").fill("f" * 32)
    owner.get_by_role("button", name="Save account").click()
    expect(owner.get_by_text("Twilio account saved.")).to_be_visible()
    owner.locator("summary", has_text="Unlink account").click()
    looks_well(owner)
    owner.get_by_role("button", name="Unlink Twilio account").click()
    expect(owner.get_by_text("Twilio account unlinked.")).to_be_visible()
    owner.get_by_label("Name").fill("Stores")
    owner.get_by_role("button", name="Save", exact=True).click()
    expect(heading).to_have_text("Stores")
    owner.get_by_role("button", name="Switch to this workspace").click()
    expect(heading).to_have_text("Manage Destinations")
    expect(owner.locator("#workspace option[selected]")).to_have_text("Stores")
