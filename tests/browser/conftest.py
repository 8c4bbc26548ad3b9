"""Fixtures of the tests that look at the pages in a real browser.

The browser is the system's Chromium; without one these tests are skipped. A page must not complain:
an error on its console, a violation of its policy or a request to another host fails its test.
With BORDERPOST_SCREENSHOTS naming a folder, each test leaves a picture of its page there.

A new page, with its process and its empty cache, costs more than most tests. So the tests of a
module share two windows, one with scripts and one without, and each test has a tenant of its own.
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

from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.kernel.ids import new_id
from support.browser import (
    DESKTOP,
    FLAGS,
    PATIENCE_MILLISECONDS,
    Complaints,
    Manner,
    Window,
    chromium,
)
from support.destinations import PolicyClient
from support.disk import do_not_wait_for_the_disk
from support.factories import Tenant
from support.site import Site, served_site

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
    """A gateway that the tests of a module share, with one tenant that no test changes."""
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


@pytest.fixture(scope="module")
def windows(browser: Browser, site: Site) -> Iterator[dict[bool, Window]]:
    """A window with scripts and one without."""
    opened = {runs: Window(browser, site.url, runs_scripts=runs) for runs in (True, False)}
    yield opened
    for window in opened.values():
        window.close()


@pytest.fixture
def manner() -> Manner:
    """How the page is looked at; `BOTH_WAYS`, `EACH_MANNER` and `EACH_SIZE` give others."""
    return DESKTOP


@pytest.fixture
def window(windows: dict[bool, Window], manner: Manner) -> Iterator[Window]:
    """The window of a test, in which nobody is signed in."""
    window = windows[manner.runs_scripts]
    window.look(manner)
    yield window
    window.leave()


@pytest.fixture
def complaints(window: Window) -> Complaints:
    """What the browser complains about; clear it of what a test provokes."""
    return window.complaints


@pytest.fixture
def page(
    window: Window, complaints: Complaints, manner: Manner, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """An empty page of the site's browser."""
    page = window.page
    yield page
    if folder := os.environ.get("BORDERPOST_SCREENSHOTS"):
        name = re.sub(r"[^\w-]+", "-", request.node.name)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    # Its answer comes after all that the page has told before.
    ran = page.evaluate("document.documentElement.classList.contains('has-scripts')")
    assert complaints.found == []
    assert not (ran and not manner.runs_scripts)
    for marker in request.node.iter_markers("sends"):
        assert [path for path in marker.args if not complaints.has_sent(path)] == []


@pytest.fixture
def policy(site: Site) -> PolicyClient:
    """A workspace of this test alone, in an organization of its own that denies North Korea."""
    organization_id = site.factory.organization(f"Acme {new_id()}", ("KP",))
    tenant = site.factory.tenant(organization_id, account_sid=f"AC{new_id().hex}")
    return PolicyClient(site.gateway, tenant, site.factory)


@pytest.fixture
def tenant(policy: PolicyClient) -> Tenant:
    """The tenant of the test's workspace."""
    return policy.tenant
