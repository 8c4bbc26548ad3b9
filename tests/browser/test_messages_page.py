"""The pages of messages in a browser: a test is sent and watched, with scripts and without."""

import re
from datetime import timedelta
from uuid import UUID

from playwright.sync_api import Browser, Page, ViewportSize, expect
from sqlalchemy import delete, insert

from app.access.principal import Role
from app.kernel.clock import utc_now
from app.messages.tables import message_counts
from app.providers.port import DeliveryReport, Status
from support.accessibility import axe_clean
from support.browser import (
    EACH_SIZE,
    FIRST_VIEW_BYTES,
    Complaints,
    pixels_beyond_window,
    scrolling_sideways,
    transferred_bytes,
)
from support.site import Site, enter


def sign_in(page: Page, site: Site) -> None:
    enter(page, site, site.tenant.keys[Role.OWNER])


def send_test(page: Page, site: Site) -> UUID:
    """Send by the form; the id of the message whose page is open then."""
    page.goto(f"{site.url}/console/try?number=%2B12025550123")
    expect(page.locator("#verdict")).to_have_text("Allowed")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Message")
    return UUID(page.url.rsplit("/", 1)[1])


def report(site: Site, message_id: UUID, word: str) -> None:
    """Let Twilio report of a message."""
    key = site.tenant.keys[Role.OWNER]
    sid = site.gateway.get(f"/v1/sms/{message_id}", key=key).json["message_sid"]
    site.gateway.services.callbacks.report(
        DeliveryReport(site.tenant.account_sid, sid, message_id, Status(word), word)
    )


def status_of(page: Page) -> str:
    return page.locator(".life-status .status").first.text_content() or ""


@EACH_SIZE
def test_a_message_is_seen_to_become_delivered(page: Page, site: Site) -> None:
    sign_in(page, site)
    message_id = send_test(page, site)
    shown = page.locator(".life-status .status").first
    expect(shown).to_have_text("pending")
    expect(page.get_by_text("This page updates automatically.")).to_be_visible()
    report(site, message_id, "sent")
    expect(shown).to_have_text("sent")
    report(site, message_id, "delivered")
    expect(shown).to_have_text("delivered")
    expect(page.get_by_text("Marked delivered.")).to_be_visible()
    expect(page.locator("#life[hx-get]")).to_have_count(0)
    expect(page.locator("time:not([data-local])")).to_have_count(0)
    axe_clean(page)


@EACH_SIZE
def test_link_refreshes_the_page_without_scripts(
    browser: Browser, site: Site, viewport: ViewportSize
) -> None:
    context = browser.new_context(base_url=site.url, java_script_enabled=False, viewport=viewport)
    page = context.new_page()
    sign_in(page, site)
    message_id = send_test(page, site)
    assert status_of(page) == "pending"
    assert not page.get_by_text("This page updates automatically.").is_visible()
    report(site, message_id, "delivered")
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text("Marked delivered.")).to_be_visible()
    assert status_of(page) == "delivered"
    context.close()


@EACH_SIZE
def test_each_page_is_light_fits_and_can_be_used_by_everyone(
    page: Page, site: Site, complaints: Complaints
) -> None:
    key = site.tenant.keys[Role.OWNER]
    site.gateway.send(site.tenant)
    site.gateway.send(site.tenant, to="+33612345678")
    failed = site.gateway.send(site.tenant).json["id"]
    report(site, UUID(failed), "failed")
    use_case_id = site.gateway.get(f"/v1/sms/{failed}", key=key).json["use_case_id"]
    _count_something(site)
    sign_in(page, site)
    for path in (
        "/console",
        "/console?period=24h&by=use_case",
        "/console?period=90d&by=country",
        "/console/messages?status=failed",
        "/console/messages?country=FR",
        f"/console/messages/{failed}",
        "/console/refusals",
        f"/console/try?number=%2B33612345678&use_case_id={use_case_id}",
    ):
        assert transferred_bytes(page, f"{site.url}{path}") < FIRST_VIEW_BYTES, path
        assert pixels_beyond_window(page) == 0, path
        if path.startswith("/console?") or path == "/console":
            _charts_are_drawn(page)
        for summary in page.locator("main details > summary").all():
            summary.click()
        assert scrolling_sideways(page) == [], path
        axe_clean(page)
    page.goto(f"{site.url}/console/messages?to_number=12")
    axe_clean(page)
    complaints.found.clear()  # 422: the browser tells of it


def _charts_are_drawn(page: Page) -> None:
    """Each chart shows its values under the pointer, and its axes are drawn."""
    charts = page.locator("figure[data-chart]")
    expect(charts.locator("canvas")).to_have_count(charts.count())
    first = charts.first
    expect(first.locator(".u-label").first).to_be_visible()
    first.locator(".u-over").hover(position={"x": 40, "y": 40})
    expect(first.locator(".u-legend .u-value").first).to_have_text(re.compile(r"\d"))


def _count_something(site: Site) -> None:
    today = utc_now().date()
    with site.gateway.services.database.writing() as c:
        c.execute(delete(message_counts))
        c.execute(
            insert(message_counts),
            [
                {
                    "workspace_id": site.tenant.workspace_id,
                    "day": today - timedelta(days=days),
                    "hour": 0,
                    "country": country,
                    "sends": 100 + days,
                    "delivered": 90,
                    "undelivered": 4,
                    "failed": 2,
                    "segments": 200,
                }
                for days in range(30)
                for country in ("US", "CA", "GB")
            ],
        )
