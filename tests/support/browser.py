"""A real browser: where it is found, how it is looked at, and what it complains about."""

import csv
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Page,
    Request,
    Route,
    ViewportSize,
)

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
    # Each test begins at about:blank: in a process of its own, that costs as much as two more pages.
    "--renderer-process-limit=1",
)
# Long, for a machine that does other things too: nothing waits that long for luck.
PATIENCE_MILLISECONDS = 40_000
# What the first view of a page may make a browser load.
FIRST_VIEW_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody looks at the pages; the size is in CSS pixels."""

    width: int
    height: int
    colours: Literal["light", "dark"]
    runs_scripts: bool = True
    # What is used at this size is looked at in both.
    stands_for_both: bool = False

    @property
    def is_phone(self) -> bool:
        return self.colours == "dark"


DESKTOP = Manner(1280, 800, "light")
PHONE = Manner(360, 740, "dark")
# Pages are used on a phone; what a test looks at, it looks at on a desktop too.
SCRIPTED = Manner(360, 740, "dark", stands_for_both=True)
PLAIN = Manner(360, 740, "dark", runs_scripts=False, stands_for_both=True)
BOTH_WAYS = pytest.mark.parametrize("manner", [SCRIPTED, PLAIN], ids=["scripted", "plain"])
# For what differs by the size: the menu, dialogs, lists that are cards on a phone, charts, the map.
EACH_SIZE = pytest.mark.parametrize("manner", [DESKTOP, PHONE], ids=["desktop", "phone"])
EACH_MANNER = pytest.mark.parametrize(
    "manner",
    [DESKTOP, PHONE, PLAIN],
    ids=["desktop", "phone", "plain"],
)


def sends(*paths: str) -> pytest.MarkDecorator:
    """The forms, by their paths below /console, that the browser submits in a test."""
    return pytest.mark.sends(*paths)


def chromium() -> str | None:
    """The path of this machine's Chromium, if it has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


class Complaints:
    """What a browser had to complain about: its console, broken scripts, foreign hosts."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.found: list[str] = []
        self.sent: set[str] = set()
        self._host = urlsplit(url).netloc
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"script: {error.error}"))
        context.on("request", self._request)

    def forgive(self, status: int) -> None:
        """Forget that the browser tells of answers with this status, and of nothing else."""
        assert all(f"status of {status}" in one for one in self.found), self.found
        self.found.clear()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.found.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        to = urlsplit(request.url)
        if to.scheme not in {"data", "blob"} and to.netloc != self._host:
            self.found.append(f"foreign: {request.url}")
        if request.method == "POST":
            self.sent.add(to.path)

    def has_sent(self, path: str) -> bool:
        """Whether a form was sent to a path, whose parts in braces may be anything."""
        wanted = re.compile(r".*/console" + re.sub(r"\{\w+\}", "[^/]+", path))
        return any(wanted.fullmatch(one) for one in self.sent)


# The pages that run no scripts, and the sessions that say so. Not `java_script_enabled`: what is off
# by it can't be switched on for a moment, and axe needs timers.
_switches: dict[Page, CDPSession] = {}
# The pages whose test stands for both sizes.
_for_both: set[Page] = set()


def _switch(page: Page, *, runs_scripts: bool) -> None:
    _switches[page].send("Emulation.setScriptExecutionDisabled", {"value": not runs_scripts})


def _show(page: Page, manner: Manner) -> None:
    page.set_viewport_size(ViewportSize(width=manner.width, height=manner.height))
    page.emulate_media(color_scheme=manner.colours)


def at_each_size(page: Page) -> Iterator[Manner]:
    """Show a loaded page as on a desktop, then as on a phone."""
    for manner in (DESKTOP, PHONE):
        _show(page, manner)
        yield manner


_USABLE = """() => {
  const place = [scrollX, scrollY];
  const shown = document.querySelector(":popover-open") || document;
  const controls = [...shown.querySelectorAll("a[href], button, input, select, textarea, summary")];
  const named = controls.map((one, n) => [one, `${n} ${one.localName} ${one.textContent.trim() || one.name}`]);
  const found = named.filter(([one]) => isUsable(one)).map(([_, name]) => name);
  scrollTo(...place);
  return found;

  function isUsable(one) {
    if (one.matches(".menu-button") || !one.checkVisibility({opacityProperty: true, visibilityProperty: true})) return false;
    one.scrollIntoView({block: "center", inline: "center"});
    const box = [...one.getClientRects()].find((box) => box.width > 1 && box.height > 1);
    const hit = box && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return Boolean(hit) && (one.contains(hit) || hit.closest("label")?.control === one);
  }
}"""


def each_view(page: Page) -> Iterator[None]:
    """Show a loaded page as a test has to look at it: at both sizes, if the test stands for both.

    It uses the page on a phone. What can be used there, but for the button of the menu, can be used on
    a desktop.
    """
    page.wait_for_load_state("load")
    if page not in _for_both:
        yield
        return
    page.mouse.move(0, 0)  # where it clicked on a phone, it would hover over something else
    on_phone: list[str] = page.evaluate(_USABLE)
    for manner in at_each_size(page):
        if not manner.is_phone:
            missing = set(on_phone) - set(page.evaluate(_USABLE))
            assert not missing, f"only on a phone: {missing}"
        yield


class Window:
    """A page with a history and a cache, for one test after another; it keeps nobody signed in."""

    def __init__(self, browser: Browser, url: str, *, runs_scripts: bool) -> None:
        self.context = browser.new_context(base_url=url, reduced_motion="reduce")
        self.context.set_default_timeout(PATIENCE_MILLISECONDS)
        self.complaints = Complaints(self.context, url)
        self.page = self.context.new_page()
        if not runs_scripts:
            _switches[self.page] = self.context.new_cdp_session(self.page)
            _switch(self.page, runs_scripts=False)

    def look(self, manner: Manner) -> Page:
        """Begin a test."""
        _show(self.page, manner)
        if manner.stands_for_both:
            _for_both.add(self.page)
        self.complaints.found.clear()
        self.complaints.sent.clear()
        return self.page

    def leave(self) -> None:
        """End a test: what its pages still do ends with them."""
        _for_both.discard(self.page)
        for other in self.context.pages:
            if other is not self.page:
                other.close()
        self.page.goto("about:blank")
        self.context.clear_cookies()
        self.context.clear_permissions()

    def close(self) -> None:
        _switches.pop(self.page, None)
        self.context.close()


def runs_scripts(page: Page) -> bool:
    """Whether the scripts of a page are run."""
    return page not in _switches


@contextmanager
def running_scripts(page: Page) -> Iterator[None]:
    """Let the test's own scripts run in a page that runs none; those of the page stay unread."""
    if runs_scripts(page):
        yield
        return
    _switch(page, runs_scripts=True)
    yield
    _switch(page, runs_scripts=False)


def transferred_bytes(page: Page, path: str) -> int:
    """Open a page with nothing cached; what came over the wire, heads included, until all is quiet.

    It waits half a second for the quiet, so only the tests of bytes open pages by it.
    """
    session = page.context.new_cdp_session(page)
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda end: sizes.append(end["encodedDataLength"]))
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
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


@contextmanager
def describing_only(page: Page, *paths: str) -> Iterator[None]:
    """Leave other operations out of the description that a page asks for: each costs 10 ms to draw."""

    def shorten(route: Route) -> None:
        answer = route.fetch()
        described = answer.json()
        described["paths"] = {path: described["paths"][path] for path in paths}
        route.fulfill(response=answer, json=described)

    page.route("**/openapi.json", shorten)
    yield
    page.unroute("**/openapi.json", shorten)


def downloaded(page: Page) -> list[dict[str, str]]:
    """Press the link below a list, and return the rows of its file."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(text.splitlines()))
