"""Fixtures of the tests that look at the pages in a real browser.

The browser is the system's Chromium; without one these tests are skipped. A page must not complain:
an error on its console, a violation of its policy or a request to another host fails its test.
With BORDERPOST_SCREENSHOTS naming a folder, each test leaves a picture of its page there.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from support.browser import DESKTOP, FLAGS, Complaints, chromium
from support.disk import do_not_wait_for_the_disk
from support.site import Site, served_site

# Long, for a machine that does other things too: nothing waits that long for luck.
PATIENCE_MILLISECONDS = 40_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)


# Not for the session: while it lives, no other test of the process could run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium: install one, or run `make test` as root with apt-get")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(
    cipher: Cipher, prefix: str, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A gateway that the tests of a module share, with one tenant."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(sqlite_template, folder / "borderpost.db")
    database = Database(f"sqlite:///{folder}/borderpost.db", pool_size=16)
    do_not_wait_for_the_disk(database)
    with served_site(database, cipher, folder, prefix) as site:
        yield site
    database.close()


@pytest.fixture(scope="module")
def prefix() -> str:
    """The path of the public URL; a module may have another."""
    return ""


@pytest.fixture
def viewport() -> ViewportSize:
    """The size of the window; parametrize it to try others."""
    return ViewportSize(**DESKTOP)


@pytest.fixture
def context(browser: Browser, site: Site, viewport: ViewportSize) -> Iterator[BrowserContext]:
    """A browser that has never seen the site; one of a phone's size prefers dark colours."""
    context = browser.new_context(
        viewport=viewport,
        base_url=site.url,
        reduced_motion="reduce",
        color_scheme="dark" if viewport["width"] < DESKTOP["width"] else "light",
    )
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    yield context
    context.close()


@pytest.fixture
def complaints(context: BrowserContext, site: Site) -> Complaints:
    """What the browser complains about; clear it of what a test provokes."""
    return Complaints(context, site.url)


@pytest.fixture
def page(
    context: BrowserContext, complaints: Complaints, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """An empty page of the site's browser."""
    page = context.new_page()
    yield page
    if folder := os.environ.get("BORDERPOST_SCREENSHOTS"):
        name = re.sub(r"[^\w-]+", "-", request.node.name)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    assert complaints.found == []
