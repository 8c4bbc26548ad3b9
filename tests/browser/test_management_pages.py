"""Use cases, opt-outs and webhooks in a browser, with scripts and without."""

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from app.access.principal import Role
from app.kernel.clock import Clock
from app.use_cases.refresh import RefreshRegistrations
from app.use_cases.tables import use_cases
from app.web.registry import register_service
from app.webhooks.deliver import SendTestEvent
from app.webhooks.sender import Reply
from app.webhooks.tables import webhook_endpoints
from support.accessibility import looks_well
from support.browser import (
    BOTH_WAYS,
    FIRST_VIEW_BYTES,
    Manner,
    at_each_size,
    sends,
    transferred_bytes,
)
from support.factories import SERVICE_SID, US_NUMBER, Tenant
from support.site import Site, enter
from support.time import ManualClock
from support.webhooks import FakeSender, Hooks

USE_CASES = "/console/use-cases"
OPT_OUTS = "/console/opt-outs"
WEBHOOKS = "/console/webhooks"


@pytest.fixture
def opened(page: Page, site: Site, tenant: Tenant) -> Page:
    """A window of an admin."""
    enter(page, site, tenant.keys[Role.ADMIN])
    return page


@pytest.fixture
def endpoint_id(site: Site, tenant: Tenant) -> UUID:
    """An endpoint with a delivery after two failures, beside one that was disabled."""
    hooks = Hooks(site.factory, ManualClock())
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.sender.script = [Reply(503), Reply(503), Reply(204)]
    hooks.event(tenant.workspace_id)
    for _ in range(3):
        hooks.drain()
        hooks.move_to(hooks.clock.at + timedelta(hours=1))
    hooks.endpoint(tenant.workspace_id, active=False, disabled_reason="Disabled by hand.")
    return endpoint_id


@pytest.fixture
def paths(site: Site, tenant: Tenant, endpoint_id: UUID) -> list[str]:
    """The pages, each with something on it."""
    values = {"name": "one-time passwords", "brand_status": "SUSPENDED"}
    site.factory.set(use_cases, tenant.use_case_id, **values)
    site.factory.set(webhook_endpoints, endpoint_id, url=f"https://example.com/{'w' * 300}")
    opt_out = {"to_number": US_NUMBER, "source": "keyword"}
    site.gateway.post("/v1/opt-outs", opt_out, key=tenant.keys[Role.ADMIN])
    one = f"{USE_CASES}/{tenant.use_case_id}"
    return [USE_CASES, one, OPT_OUTS, WEBHOOKS, f"{WEBHOOKS}/{endpoint_id}"]


def open_all(page: Page) -> None:
    """Open what the page shows on demand."""
    closed = page.locator("main details:not([open]) > summary")
    while closed.count():
        closed.first.click()


def test_the_pages_are_light_accessible_and_never_wider_than_the_window(
    opened: Page, paths: list[str]
) -> None:
    for path in paths:
        assert transferred_bytes(opened, path) < FIRST_VIEW_BYTES, path
        open_all(opened)
        for _ in at_each_size(opened):
            looks_well(opened)


@dataclass
class Registrar:
    """Knows that every brand is suspended."""

    def brand_status(self, *_: object) -> str:
        return "SUSPENDED"

    def campaign_status(self, *_: object) -> str:
        raise NotImplementedError


@BOTH_WAYS
@sends(
    "/use-cases",
    "/use-cases/{use_case_id}",
    "/use-cases/{use_case_id}/senders",
    "/use-cases/{use_case_id}/senders/{sender_id}/remove",
    "/use-cases/{use_case_id}/refresh",
    "/use-cases/{use_case_id}/delete",
)
def test_a_use_case_is_created_changed_and_deleted(opened: Page, site: Site) -> None:
    refresh = RefreshRegistrations(site.factory.database, Registrar(), Clock())
    register_service(site.gateway.client.application, refresh)
    heading = opened.get_by_role("heading", level=1)
    opened.goto(USE_CASES)
    opened.locator("summary", has_text="Create use case").click()
    opened.get_by_label("Name").fill("news")
    opened.get_by_label("Messaging Service").fill(SERVICE_SID)
    opened.get_by_label("Brand").fill("BN" + "d" * 32)
    opened.get_by_role("button", name="Create use case").click()
    expect(heading).to_have_text("news")
    looks_well(opened)
    opened.get_by_label("Sender", exact=True).fill("+12025550100")
    opened.get_by_role("button", name="Add sender").click()
    sender = opened.get_by_role("row").filter(has=opened.locator("summary"))
    sender.locator("summary").click()
    looks_well(opened)
    sender.get_by_role("button", name="Remove sender").click()
    expect(opened.get_by_text("No senders. Nothing can be sent without one.")).to_be_visible()
    opened.get_by_role("button", name="Refresh brand and campaign from Twilio").click()
    expect(opened.locator(".facts")).to_contain_text("SUSPENDED")
    looks_well(opened)
    opened.get_by_label("Name").fill("offers")
    opened.get_by_role("button", name="Save").click()
    expect(heading).to_have_text("offers")
    opened.locator("summary", has_text="Delete this use case").click()
    opened.get_by_role("button", name="Delete permanently").click()
    expect(heading).to_have_text("Use cases")
    expect(opened.get_by_role("link", name="offers")).to_have_count(0)


@BOTH_WAYS
@sends("/opt-outs", "/opt-outs/{opt_out_id}/remove")
def test_a_number_is_added_found_and_removed_by_the_keyboard_alone(
    opened: Page, paths: list[str]
) -> None:
    added = "+12025550177"
    opened.goto(OPT_OUTS)
    opened.locator("summary", has_text="Add opt-out").press("Enter")
    opened.locator("#new-number").fill(added)
    opened.locator("#new-number").press("Enter")
    row = opened.get_by_role("row", name=added)
    expect(row).to_be_visible()
    opened.locator("#search-number").fill(added)
    opened.locator("#search-number").press("Enter")
    expect(opened.get_by_role("row", name=US_NUMBER)).to_have_count(0)
    removes = row.get_by_role("button", name="Remove opt-out")
    expect(removes).to_be_hidden()
    row.locator("summary").press("Enter")
    looks_well(opened)
    removes.press("Enter")
    expect(opened.get_by_text("Opt-out removed.")).to_be_visible()
    expect(opened.get_by_role("row", name=US_NUMBER)).to_be_visible()
    expect(row).to_have_count(0)


@BOTH_WAYS
@sends("/webhooks", "/webhooks/{endpoint_id}/test")
def test_an_endpoint_is_created_with_a_secret_and_gets_a_test_event(
    opened: Page, site: Site, manner: Manner
) -> None:
    factory, sender = site.factory, FakeSender()
    test_event = SendTestEvent(factory.database, factory.cipher, Clock(), sender)
    register_service(site.gateway.client.application, test_event)
    opened.goto(WEBHOOKS)
    expect(opened.get_by_role("heading", name="No endpoints yet")).to_be_visible()
    looks_well(opened)
    opened.get_by_label("URL").fill("https://hooks.example.com/new")
    opened.get_by_label("sms.delivered").check()
    opened.get_by_role("button", name="Create endpoint").click()
    expect(opened.get_by_role("heading", level=1)).to_have_text("Signing secret")
    secret = opened.locator("#secret").inner_text()
    assert secret.startswith("whsec_")
    looks_well(opened)
    if manner.runs_scripts:
        opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened.get_by_role("button", name="Copy").click()
        expect(opened.get_by_role("button", name="Copied")).to_be_visible()
        assert opened.evaluate("navigator.clipboard.readText()") == secret
    opened.goto("/console/first-steps")
    looks_well(opened)
    opened.get_by_role("button", name="Send test event to https://hooks.example.com/new").click()
    expect(opened.get_by_role("status")).to_contain_text("Accepted: answered 204")
    looks_well(opened)
    assert {one.url for one in sender.posted} == {"https://hooks.example.com/new"}


@BOTH_WAYS
@sends(
    "/webhooks/{endpoint_id}",
    "/webhooks/{endpoint_id}/rotate",
    "/webhooks/{endpoint_id}/switch",
    "/webhooks/{endpoint_id}/deliveries/{delivery_id}/replay",
    "/webhooks/{endpoint_id}/delete",
)
def test_an_endpoint_is_changed_switched_and_deleted(opened: Page, endpoint_id: UUID) -> None:
    path = f"{WEBHOOKS}/{endpoint_id}"
    done = opened.get_by_role("status")
    opened.goto(path)
    opened.get_by_role("button", name="Resend sms.delivered").click()
    expect(opened.get_by_role("row", name="sms.delivered")).to_have_count(2)
    opened.get_by_label("State").select_option("pending")
    opened.get_by_role("button", name="Filter").click()
    expect(opened.get_by_role("row", name="sms.delivered")).to_have_count(1)
    looks_well(opened)
    opened.get_by_label("URL").fill("https://hooks.example.com/other")
    opened.get_by_role("button", name="Save").click()
    expect(opened.locator(".facts")).to_contain_text("https://hooks.example.com/other")
    opened.locator("summary", has_text="Disable").click()
    opened.get_by_role("button", name="Disable endpoint").click()
    expect(opened.get_by_text("No events are sent or stored")).to_be_visible()
    looks_well(opened)
    opened.get_by_role("button", name="Enable", exact=True).click()
    expect(opened.locator("summary", has_text="Disable")).to_be_visible()
    opened.locator("summary", has_text="Rotate secret").click()
    opened.get_by_role("button", name="Create new secret").click()
    expect(done.filter(has_text="New secret created.")).to_be_visible()
    opened.get_by_role("button", name="Go to the endpoint").click()
    expect(opened.locator(".facts")).to_contain_text("Two secrets sign events")
    opened.locator("summary", has_text=re.compile("^Delete$")).click()
    looks_well(opened)
    opened.get_by_role("button", name="Delete permanently").click()
    expect(opened.get_by_role("heading", level=1)).to_have_text("Webhooks")
    expect(opened.get_by_role("link", name="https://hooks.example.com/other")).to_have_count(0)
