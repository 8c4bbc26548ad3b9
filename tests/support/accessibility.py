"""What axe finds on a page: the rules of WCAG 2.2 AA and of good practice."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_AXE = Axe()
_OPTIONS = {"resultTypes": ["violations"]}


def violations(
    page: Page, *, besides: tuple[str, ...] = (), within: str | None = None
) -> dict[str, list[str]]:
    """Each rule that a loaded page breaks, with the elements that break it.

    ``besides`` are left out. A click returns when the browser has the head of the next page, and
    axe fails in a document without elements, so it waits for the whole page.
    """
    page.wait_for_load_state("load")
    context: dict[str, Any] = {"exclude": [[one] for one in besides]} if besides else {}
    if within is not None:
        context["include"] = [[within]]
    found = _AXE.run(page, context=context or None, options=_OPTIONS).response["violations"]
    return {
        f"{rule['id']} ({rule['impact']}): {rule['help']}": [node["html"] for node in rule["nodes"]]
        for rule in found
    }


def axe_clean(page: Page, *, besides: tuple[str, ...] = (), within: str | None = None) -> None:
    """Make sure that axe finds nothing."""
    found = violations(page, besides=besides, within=within)
    assert not found, "\n".join(f"{rule} {elements[:3]}" for rule, elements in found.items())
