"""The API reference in a browser: what it shows, what it loads, and that it can be used."""

from playwright.sync_api import Page, expect

from app.access.principal import Role
from app.application import declared_endpoints
from support.accessibility import axe_clean, looks_well
from support.browser import (
    BOTH_WAYS,
    EACH_SIZE,
    FIRST_VIEW_BYTES,
    Complaints,
    at_each_size,
    describing_only,
    transferred_bytes,
)
from support.site import Site

OPERATIONS = [one for one in declared_endpoints() if one.described]
OPENED = ".opblock.is-open"


def open_operation(page: Page, name: str) -> None:
    """Open one operation of the index in Swagger UI."""
    page.goto("/docs")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator(f"{OPENED} .opblock-body")).to_be_visible()


def test_the_first_view_is_light(page: Page) -> None:
    assert transferred_bytes(page, "/docs") < FIRST_VIEW_BYTES


@BOTH_WAYS
def test_the_first_view_lists_every_operation(page: Page) -> None:
    page.goto("/docs")
    links = page.locator("#index li a")
    expect(links).to_have_count(len(OPERATIONS))
    shown = {" ".join(text.split()) for text in links.all_inner_texts()}
    assert shown == {f"{one.method} {one.path}" for one in OPERATIONS}
    looks_well(page)


@EACH_SIZE
def test_an_operation_shows_its_answers_and_another_is_tried_out_with_a_key(
    page: Page, site: Site
) -> None:
    with describing_only(page, "/v1/sms", "/v1/use-cases"):
        open_operation(page, "POST /v1/sms")
    expect(page.locator(f"{OPENED} .opblock-summary-path")).to_have_text("/v1/sms")
    expect(page.locator("#index")).to_be_hidden()
    answer = page.locator(".responses-wrapper tr.response").filter(has_text="DestinationBlocked")
    answer.locator(".examples-select select").select_option("DestinationBlocked")
    expect(answer.locator("pre.example")).to_contain_text('"rule": "country"')
    expect(answer).to_contain_text("RecipientOptedOut")
    page.get_by_role("button", name="Try it out").click()
    expect(page.get_by_role("textbox", name="Request body")).to_be_visible()
    axe_clean(page, within=OPENED)
    page.get_by_role("button", name="Authorize", exact=True).click()
    expect(page.locator(".dialog-ux")).to_be_visible()
    axe_clean(page, within=".dialog-ux")
    page.locator(".auth-container input").fill(site.tenant.keys[Role.VIEWER])
    page.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").last.click()
    page.locator(f"{OPENED} .opblock-summary-control").click()
    expect(page.locator(OPENED)).to_have_count(0)
    listing = page.locator(".opblock-get").filter(has=page.locator('[data-path="/v1/use-cases"]'))
    listing.locator(".opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table .response").first
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text(str(site.tenant.use_case_id))
    axe_clean(page, within=OPENED)


def test_all_operations_are_drawn_and_accessible(page: Page) -> None:
    open_operation(page, "POST /v1/sms")
    expect(page.locator(".opblock")).to_have_count(len(OPERATIONS))
    expect(page.locator("#index")).to_be_hidden()
    for _ in at_each_size(page):
        axe_clean(page)


def test_every_operation_opens_from_its_address(page: Page) -> None:
    page.goto("/docs")
    links = page.locator("#index li a")
    expect(links).to_have_count(len(OPERATIONS))
    anchors = [link.get_attribute("href") for link in links.all()]
    page.goto(f"/docs{anchors[0]}")
    page.reload()  # only the fragment differs: that alone loads nothing
    expect(page.locator(OPENED)).to_have_count(1)
    expect(page.locator(".opblock")).to_have_count(len(OPERATIONS))
    ids = page.locator(".opblock").evaluate_all("all => all.map(one => one.id)")
    wanted = [anchor.removeprefix("#/").replace("/", "-") for anchor in anchors if anchor]
    assert sorted(one.removeprefix("operations-") for one in ids) == sorted(
        one.replace("%20", "_") for one in wanted
    )


def test_missing_description_is_reported(page: Page, complaints: Complaints) -> None:
    other = page.context.new_page()  # the routes of a page stay with it
    other.route("**/openapi.json", lambda route: route.fulfill(status=503, body="{}"))
    other.goto("/docs")
    other.get_by_role("link", name="POST /v1/sms", exact=True).click()
    expect(other.get_by_role("status")).to_contain_text("openapi.json answered 503")
    expect(other.locator("#index")).to_be_visible()
    assert len(complaints.found) == 1
    complaints.forgive(503)
