"""The API reference behind a path prefix: its files, its description and its requests."""

import pytest
from playwright.sync_api import Page, expect

from support.browser import describing_only
from support.site import Site


@pytest.fixture(scope="module")
def prefix() -> str:
    return "/gw"


@pytest.mark.parametrize("path", ["/gw/docs", "/gw/docs/", "/docs"])
def test_everything_is_found(page: Page, site: Site, path: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with describing_only(page, "/version"):
        page.goto(f"{path}#/Operations/getVersion")
        page.locator(".opblock.is-open").get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table .response").first
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    assert f"{site.url}/version" in asked
    assert all(url.startswith(f"{site.url}/") for url in asked[1:] if not url.startswith("data:"))
