"""Use cases, opt-outs and webhooks in a browser: axe, narrow windows, deeds that are asked about."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from app.access.principal import Role
from app.use_cases.tables import use_cases
from app.webhooks.attempt import Reply
from support.accessibility import axe_clean
from support.browser import EACH_SIZE, FIRST_VIEW_BYTES, pixels_beyond_window, transferred_bytes
from support.factories import US_NUMBER
from support.site import Site, enter
from support.time import ManualClock
from support.webhooks import Hooks


@pytest.fixture(scope="module")
def paths(site: Site) -> list[str]:
    """The pages, each with something on it."""
    tenant, factory = site.tenant, site.factory
    factory.set(use_cases, tenant.use_case_id, name="one-time passwords", brand_status="SUSPENDED")
    key = tenant.keys[Role.ADMIN]
    site.gateway.post("/v1/opt-outs", {"to_number": US_NUMBER, "source": "keyword"}, key=key)
    hooks = Hooks(factory, ManualClock())
    endpoint_id = hooks.endpoint(tenant.workspace_id)
    hooks.sender.script = [Reply(503), Reply(503), Reply(204)]
    for _ in range(2):
        hooks.event(tenant.workspace_id)
        for _ in range(3):
            hooks.drain()
            hooks.move_to(hooks.clock.at + timedelta(hours=1))
    hooks.endpoint(tenant.workspace_id, active=False, disabled_reason="Disabled by hand.")
    return [
        "/console/use-cases",
        f"/console/use-cases/{tenant.use_case_id}",
        "/console/opt-outs",
        "/console/webhooks",
        f"/console/webhooks/{endpoint_id}",
    ]


@pytest.fixture
def opened(page: Page, site: Site, paths: list[str]) -> Page:
    """A window of an admin."""
    enter(page, site, site.tenant.keys[Role.ADMIN])
    return page


@EACH_SIZE
def test_the_pages_are_light_accessible_and_never_wider_than_the_window(
    opened: Page, paths: list[str]
) -> None:
    for path in paths:
        assert transferred_bytes(opened, path) < FIRST_VIEW_BYTES, path
        closed = opened.locator("main details:not([open]) > summary")
        while closed.count():
            closed.first.click()
        assert pixels_beyond_window(opened) == 0, path
        axe_clean(opened)


def test_a_number_is_lifted_by_the_keyboard_alone_after_a_second_press(
    opened: Page, paths: list[str]
) -> None:
    opened.goto("/console/opt-outs")
    row = opened.get_by_role("row", name=US_NUMBER)
    audit_event = row.get_by_role("button", name="Remove opt-out")
    expect(audit_event).to_be_hidden()
    row.locator("summary").press("Enter")
    audit_event.press("Enter")
    expect(opened.get_by_text("Opt-out removed.")).to_be_visible()
    expect(opened.get_by_role("row", name=US_NUMBER)).to_have_count(0)


def test_a_new_secret_can_be_copied(opened: Page, paths: list[str]) -> None:
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.goto("/console/webhooks")
    opened.locator("summary", has_text="Create endpoint").click()
    opened.get_by_label("URL").fill("https://hooks.example.com/new")
    opened.get_by_label("sms.delivered").check()
    opened.get_by_role("button", name="Create endpoint").click()
    secret = opened.locator("#secret").inner_text()
    assert secret.startswith("whsec_")
    axe_clean(opened)
    opened.get_by_role("button", name="Copy").click()
    expect(opened.get_by_role("button", name="Copied")).to_be_visible()
    assert opened.evaluate("navigator.clipboard.readText()") == secret
