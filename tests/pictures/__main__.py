"""`make pictures`: every page of the console as small WebP files, wide and light, narrow and dark.

Key pages are taken in all four manners. `--every` takes every page at three widths as PNG, for a look by eye; those are not kept in the
repository.
"""

import argparse
import base64
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cryptography.fernet import Fernet
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.schema import upgrade
from pictures.stage import Scene, set_up
from support.browser import FLAGS, chromium, pixels_beyond_window
from support.site import Site, served_site

WIDTHS = {"wide": 1280, "tablet": 768, "phone": 390}
HEIGHT = 900
QUALITY = 40
TALLEST = 1100
LARGEST_BYTES = 60_000
KEY = ("overview", "destinations", "messages", "message", "check", "guards", "provider", "docs")
OF_EVERY_PAGE = (("wide", "light"), ("phone", "dark"))


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(prog="pictures", description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--every", action="store_true", help="every page, at every width")
    parser.add_argument("--only", action="append", help="only the page of this name")
    parser.add_argument("--width", action="append", choices=WIDTHS, help="only this width")
    given = parser.parse_args()
    path = chromium()
    if path is None:
        sys.exit("No Chromium here: `make test` as root installs one.")
    given.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        with _site(Path(folder)) as site:
            tenant_gateway = set_up(site)
            for width in given.width or (WIDTHS if given.every else ("wide", "phone")):
                for scheme in ("light", "dark"):
                    pages = _pages(site, tenant_gateway)
                    takes_all = given.every or (width, scheme) in OF_EVERY_PAGE
                    names = given.only or (pages if takes_all else KEY)
                    wanted = {name: pages[name] for name in names}
                    kind = "png" if given.every else "webp"
                    _take(
                        browser,
                        site,
                        tenant_gateway,
                        wanted,
                        into=given.into,
                        manner=(width, scheme, kind),
                    )
        browser.close()


def _site(folder: Path) -> "Iterator[Site]":
    database = Database(f"sqlite:///{folder}/borderpost.db", pool_size=16)
    upgrade(database)
    return served_site(database, Cipher((Fernet.generate_key().decode(),)), folder)  # type: ignore[return-value]


def _pages(site: Site, tenant_gateway: Scene) -> dict[str, str]:
    """Every page by a short name."""
    use_case = f"/console/use-cases/{site.tenant.use_case_id}"
    return {
        "overview": "/console",
        "messages": "/console/messages",
        "messages-none": "/console/messages?country=DE",
        "message": f"/console/messages/{tenant_gateway.message_id}",
        "message-failed": f"/console/messages/{tenant_gateway.failed_id}",
        "refusals": "/console/refusals",
        "check": f"/console/try?number=%2B33612345678&use_case_id={site.tenant.use_case_id}",
        "destinations": "/console/destinations",
        "rules": "/console/destinations/rules",
        "inheritance": "/console/destinations/inheritance",
        "history": "/console/destinations/history",
        "revision": "/console/destinations/history/2",
        "provider": "/console/provider",
        "guards": "/console/guards",
        "guards-use-case": f"/console/guards?use_case_id={site.tenant.use_case_id}",
        "alerts": "/console/alerts",
        "usage": "/console/usage",
        "prices": "/console/prices",
        "find": "/console/find?q=united",
        "first-steps": "/console/first-steps",
        "overview-24h": "/console?period=24h&by=country",
        "use-cases": "/console/use-cases",
        "use-case": use_case,
        "opt-outs": "/console/opt-outs",
        "webhooks": "/console/webhooks",
        "webhook": f"/console/webhooks/{tenant_gateway.endpoint_id}",
        "access-keys": "/console/access-keys",
        "workspaces": "/console/workspaces",
        "workspace-new": "/console/workspaces/new",
        "workspace": f"/console/workspaces/{site.tenant.workspace_id}",
        "people": "/console/people",
        "person": f"/console/people/{tenant_gateway.person_id}",
        "person-new": "/console/people/new",
        "audit": "/console/audit",
        "account": "/console/account",
        "not-found": "/console/nowhere",
        "docs": "/docs",
    }


def _take(
    browser: Browser,
    site: Site,
    tenant_gateway: Scene,
    pages: dict[str, str],
    *,
    into: Path,
    manner: tuple[str, str, str],
) -> None:
    width, scheme, kind = manner
    context = browser.new_context(
        viewport=ViewportSize(width=WIDTHS[width], height=HEIGHT),
        base_url=site.url,
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        timezone_id="Europe/Berlin",
        locale="en-GB",
    )
    page = _signed_in(context, tenant_gateway, site)
    for name, path in pages.items():
        page.goto(path)
        page.wait_for_load_state("networkidle")
        if beyond := pixels_beyond_window(page):
            print(f"{name} at {WIDTHS[width]}: {beyond} px wider than the window")
        file = into / f"{name}-{width}-{scheme}.{kind}"
        file.write_bytes(_picture(page, kind))
        if kind == "webp" and file.stat().st_size > LARGEST_BYTES:
            print(f"{file}: {file.stat().st_size} bytes")
    context.close()


def _signed_in(context: BrowserContext, tenant_gateway: Scene, site: Site) -> Page:
    page = context.new_page()
    page.goto("/console/sign-in")
    page.get_by_text("Sign in with an access key").click()
    page.get_by_label("Access key").fill(tenant_gateway.owner_key)
    page.get_by_role("button", name="Sign in with key").click()
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    if page.locator("#workspace").input_value() != str(site.tenant.workspace_id):
        page.get_by_label("Workspace").select_option(str(site.tenant.workspace_id))
        page.wait_for_load_state("networkidle")
    return page


def _picture(page: Page, kind: str) -> bytes:
    session = page.context.new_cdp_session(page)
    wanted = {"format": kind, "captureBeyondViewport": True}
    if kind == "webp":
        wanted["quality"] = QUALITY
    size = session.send("Page.getLayoutMetrics")["cssContentSize"]
    clip = {
        "x": 0,
        "y": 0,
        "width": size["width"],
        "height": min(size["height"], TALLEST if kind == "webp" else 4000),
        "scale": 1,
    }
    taken = session.send("Page.captureScreenshot", wanted | {"clip": clip})
    session.detach()
    return base64.b64decode(taken["data"])


main()
