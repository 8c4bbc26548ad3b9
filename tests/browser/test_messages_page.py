"""The pages of messages in a browser: a test is sent and watched, with scripts and without."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import insert

from app.access.principal import Role
from app.kernel.clock import utc_now
from app.messages.tables import message_counts
from app.providers.port import DeliveryReport, Status
from support.accessibility import axe_clean, looks_well
from support.browser import (
    BOTH_WAYS,
    EACH_MANNER,
    FIRST_VIEW_BYTES,
    Complaints,
    Manner,
    downloaded,
    sends,
    transferred_bytes,
)
from support.factories import Tenant
from support.site import Site, enter

FR = "+33612345678"


@pytest.fixture
def owner(page: Page, site: Site, tenant: Tenant) -> Page:
    """A page that an owner of the workspace is signed in with."""
    enter(page, site, tenant.keys[Role.OWNER])
    return page


def report(site: Site, tenant: Tenant, message_id: UUID, word: str) -> None:
    """Let Twilio report of a message."""
    sid = site.gateway.get(f"/v1/sms/{message_id}", key=tenant.keys[Role.OWNER]).json["message_sid"]
    site.gateway.services.callbacks.report(
        DeliveryReport(tenant.account_sid, sid, message_id, Status(word), word)
    )


@BOTH_WAYS
@sends("/try")
def test_a_number_is_checked_and_a_message_is_seen_to_become_delivered(
    owner: Page, site: Site, tenant: Tenant, manner: Manner
) -> None:
    owner.goto("/console/try")
    asked = owner.locator("main form").first
    asked.get_by_label("Number").fill("+1 202 555 0123")
    owner.get_by_role("button", name="Check number").click()
    expect(owner.locator("#verdict")).to_have_text("Allowed")
    looks_well(owner)
    owner.get_by_role("button", name="Send", exact=True).click()
    expect(owner.get_by_role("heading", level=1)).to_have_text("Message")
    message_id = UUID(owner.url.rsplit("/", 1)[1])
    shown = owner.locator(".life-status .status").first
    watching = owner.get_by_text("This page updates automatically.")
    expect(shown).to_have_text("pending")
    expect(watching).to_be_visible(visible=manner.runs_scripts)
    for word in ("sent", "delivered"):
        report(site, tenant, message_id, word)
        if not manner.runs_scripts:
            owner.get_by_role("link", name="Refresh").click()
        expect(shown).to_have_text(word)
    expect(owner.get_by_text("Marked delivered.")).to_be_visible()
    expect(owner.locator("#life[hx-get]")).to_have_count(0)
    if manner.runs_scripts:
        expect(owner.locator("time:not([data-local])")).to_have_count(0)
    looks_well(owner)


@BOTH_WAYS
def test_messages_and_refusals_are_searched_and_taken_along_as_files(
    owner: Page, site: Site, tenant: Tenant, complaints: Complaints, manner: Manner
) -> None:
    sent = UUID(site.gateway.send(tenant).json["id"])
    failed = UUID(site.gateway.send(tenant, message="Another code").json["id"])
    report(site, tenant, failed, "failed")
    site.gateway.send(tenant, to=FR)
    rows = owner.locator("main tbody tr")
    owner.goto("/console/messages")
    expect(rows).to_have_count(2)
    looks_well(owner)
    owner.get_by_label("Status").select_option("failed")
    owner.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(1)
    # What was left empty is not part of the address that may be kept.
    is_short = re.compile(r"/console/messages\?status=failed$")
    if manner.runs_scripts:
        expect(owner).to_have_url(is_short)
    assert [row["id"] for row in downloaded(owner)] == [str(failed)]
    rows.get_by_role("link").click()
    expect(owner.get_by_role("heading", level=1)).to_have_text("Message")
    expect(owner.locator(".life-status .status").first).to_have_text("failed")
    looks_well(owner)
    owner.goto("/console/messages")
    search = owner.get_by_label("Number, message ID or SID")
    search.fill(str(sent))
    owner.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(1)
    search.fill("12")
    owner.get_by_role("button", name="Search").click()
    expect(owner.locator("#to_number")).to_have_attribute("aria-invalid", "true")
    complaints.forgive(422)
    axe_clean(owner)
    owner.goto("/console/messages?country=DE")
    expect(owner.get_by_role("heading", name="No results")).to_be_visible()
    axe_clean(owner)
    owner.get_by_role("link", name="Refusals").first.click()
    expect(rows).to_have_count(1)
    looks_well(owner)
    owner.get_by_label("Country", exact=True).select_option("FR")
    owner.get_by_role("button", name="Search").click()
    expect(owner).to_have_url(re.compile("country=FR"))
    assert [row["country"] for row in downloaded(owner)] == ["FR"]


@EACH_MANNER
def test_the_overview_shows_its_figures_as_charts_or_tables(
    owner: Page, site: Site, tenant: Tenant, manner: Manner
) -> None:
    site.gateway.send(tenant)
    count_something(site, tenant)
    owner.goto("/console")
    if manner.runs_scripts:
        charts_are_drawn(owner)
    else:
        tables = owner.locator("figure[data-chart] table")
        expect(tables.first.locator("tbody tr").first).to_be_visible()
        expect(owner.locator("canvas")).to_have_count(0)
        axe_clean(owner)  # the tables are shown in place of the charts
    looks_well(owner)
    owner.get_by_role("link", name="90 days").click()
    expect(owner).to_have_url(re.compile("period=90d"))
    owner.get_by_label("Group by").get_by_role("link", name="Country").click()
    expect(owner).to_have_url(re.compile("by=country"))
    if manner.runs_scripts:
        charts_are_drawn(owner)
        for summary in owner.locator("main details > summary").all():
            summary.click()
    looks_well(owner)


@BOTH_WAYS
def test_the_verdict_of_a_use_case_can_be_read_by_everyone(owner: Page, tenant: Tenant) -> None:
    owner.goto(f"/console/try?number=%2B33612345678&use_case_id={tenant.use_case_id}")
    expect(owner.locator("#verdict")).to_have_text("A send would be refused")
    looks_well(owner)


def test_the_first_views_are_light(owner: Page, site: Site, tenant: Tenant) -> None:
    message_id = site.gateway.send(tenant).json["id"]
    site.gateway.send(tenant, to=FR)
    count_something(site, tenant)
    for path in (
        "/console",
        "/console?period=24h&by=use_case",
        "/console?period=90d&by=country",
        "/console/messages",
        f"/console/messages/{message_id}",
        "/console/refusals",
        f"/console/try?number=%2B33612345678&use_case_id={tenant.use_case_id}",
    ):
        assert transferred_bytes(owner, path) < FIRST_VIEW_BYTES, path


def charts_are_drawn(page: Page) -> None:
    """Each chart has a name, shows its values under the pointer, and draws its axes.

    Break: in overview.js, leave out the role or the label of the canvas.
    """
    charts = page.locator("figure[data-chart]")
    expect(charts.locator("canvas")).to_have_count(charts.count())
    named = charts.get_by_role("img", name=re.compile(r"\w"))
    expect(named).to_have_count(charts.count())
    first = charts.first
    expect(first.locator(".u-label").first).to_be_visible()
    first.locator(".u-over").hover(position={"x": 40, "y": 40})
    expect(first.locator(".u-legend .u-value").first).to_have_text(re.compile(r"\d"))


def count_something(site: Site, tenant: Tenant) -> None:
    today = utc_now().date()
    with site.gateway.services.database.writing() as c:
        c.execute(
            insert(message_counts),
            [
                {
                    "workspace_id": tenant.workspace_id,
                    "day": today - timedelta(days=days),
                    "hour": 0,
                    "country": country,
                    "sends": 100 + days,
                    "delivered": 90,
                    "undelivered": 4,
                    "failed": 2,
                    "segments": 200,
                }
                for days in range(1, 30)
                for country in ("US", "CA", "GB")
            ],
        )
