"""A real browser: where it is found, what it complains about, and how much a page makes it load."""

import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

# The names under which distributions install it; `.ci/browser` looks for the same.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# A browser that is nobody's: it runs as root in a container and asks no host on its own.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
EACH_SIZE = pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
# What the first view of a page may make a browser load.
FIRST_VIEW_BYTES = 100_000

_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


def chromium() -> str | None:
    """The path of this machine's Chromium, if it has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Complaints:
    """What a browser had to complain about: its console, broken scripts, foreign hosts."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.found: list[str] = []
        self._host = urlsplit(url).netloc
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"script: {error.error}"))
        context.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.found.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        to = urlsplit(request.url)
        if to.scheme not in {"data", "blob"} and to.netloc != self._host:
            self.found.append(f"foreign: {request.url}")


def transferred_bytes(page: Page, path: str) -> int:
    """Open a page and tell what came over the wire for it, heads included, until all is quiet."""
    session = page.context.new_cdp_session(page)
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda end: sizes.append(end["encodedDataLength"]))
    session.send("Network.enable")
    page.goto(path)
    page.wait_for_load_state("networkidle")
    session.detach()
    assert sizes
    return round(sum(sizes))


_WIDER = """() => [...document.querySelectorAll(".table, .tabs, pre")]
  .filter((one) => one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.getAttribute("aria-label") || one.className)"""


def scrolling_sideways(page: Page) -> list[str]:
    """The tables, tabs and commands of a loaded page that are wider than their place."""
    page.wait_for_load_state("load")
    found: list[str] = page.evaluate(_WIDER)
    return found


def pixels_beyond_window(page: Page) -> int:
    """By how many pixels a loaded page is wider than its window; 0 if it fits."""
    page.wait_for_load_state("load")
    assert page.viewport_size is not None
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return max(0, width - page.viewport_size["width"])
