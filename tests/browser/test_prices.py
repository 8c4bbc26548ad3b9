"""The page of prices in a browser: only an owner of the only organization changes them."""

import pytest
from playwright.sync_api import Page, expect

from app.access.principal import Role
from app.prices.price_file import read_prices
from app.prices.store import import_prices
from support.accessibility import looks_well
from support.browser import BOTH_WAYS, sends
from support.site import Site, enter


@pytest.fixture(scope="module", autouse=True)
def _one_price(site: Site) -> None:
    """The last price can't be removed, so there is another than the test's."""
    file = read_prices("country,mccmnc,price,currency,valid_from\nCA,,0.0079,USD,2026-01-01\n")
    with site.factory.database.writing() as connection:
        import_prices(connection, file, site.factory.now)


@BOTH_WAYS
@sends("/prices")
def test_a_price_is_set_and_removed_after_a_preview(page: Page, site: Site) -> None:
    enter(page, site, site.factory.keys(site.tenant.organization_id, None)[Role.OWNER])
    page.goto("/console/prices")
    looks_well(page)
    page.locator("#price-country").select_option("US")
    page.get_by_label("Price per segment").fill("0.01")
    page.get_by_role("button", name="Preview effect").click()
    expect(page.get_by_role("heading", name="Effect", exact=True)).to_be_visible()
    looks_well(page)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("cell", name="0.01 USD")).to_be_visible()
    looks_well(page)
    page.get_by_role("button", name="Remove United States").click()
    expect(page.get_by_role("heading", name="Remove the price of United States")).to_be_visible()
    looks_well(page)
    page.get_by_role("button", name="Remove price").click()
    expect(page.get_by_role("cell", name="0.0079 USD")).to_be_visible()
    expect(page.get_by_role("cell", name="0.01 USD")).to_have_count(0)
