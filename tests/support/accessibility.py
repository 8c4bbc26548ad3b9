"""What axe finds on a page: the rules of WCAG 2.2 AA and of good practice.

Contrast is as dear as all other rules together. Texts that look the same (colours, size, weight, and
all backgrounds behind them) have the same contrast. So of each look a page shows, up to three texts
are measured, until axe has found it good once in the test process. A text on an image of its own
element is left out: there axe never tells what the contrast is.
"""

from playwright.sync_api import Page

from support.browser import (
    each_view,
    pixels_beyond_window,
    running_scripts,
    runs_scripts,
    scrolling_sideways,
)
from support.site import AXE, AXE_PATH

_LOAD = """(path) => new Promise((done) => {
  const one = document.createElement("script");
  for (const end of ["load", "error"]) one.addEventListener(end, () => done(typeof axe !== "undefined"));
  one.src = path;
  document.head.append(one);
  one.remove();
})"""
# The looks of texts whose contrast axe has measured and found enough.
_enough: set[str] = set()
_RUN = """
async ([besides, within, enough]) => {
  const context = {exclude: besides.map((one) => [one])};
  if (within) context.include = [[within]];
  const all = await axe.run(context, {resultTypes: ["violations"], rules: {"color-contrast": {enabled: false}}});
  const known = new Set(enough);
  const looks = new Map();
  const behinds = new Map();
  for (const one of document.querySelectorAll(within ? `${within} *` : "body *")) {
    const look = lookOf(one);
    if (look && !known.has(look) && !besides.some((other) => one.closest(other))) looks.set(one, look);
  }
  const found = all.violations;
  const passed = new Set();
  if (looks.size) {
    const options = {resultTypes: ["violations", "passes"], runOnly: ["color-contrast"], elementRef: true};
    const alike = Object.groupBy(looks.keys(), (one) => looks.get(one));
    const include = Object.values(alike).flatMap((all) => [...new Set([all[0], all[all.length >> 1], all.at(-1)])]);
    const contrast = await axe.run({include, exclude: context.exclude}, options);
    found.push(...contrast.violations);
    const looksOf = (rules) => rules.flatMap((rule) => rule.nodes.map((node) => looks.get(node.element)));
    for (const look of looksOf(contrast.passes)) passed.add(look);
    for (const look of looksOf(contrast.violations)) passed.delete(look);
  }
  return [
    found.map((rule) => [`${rule.id} (${rule.impact}): ${rule.help}`, rule.nodes.map((node) => node.html)]),
    [...passed].filter(Boolean),
  ];

  function lookOf(one) {
    const hasText = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!hasText && !one.matches("input, select, textarea")) return null;
    if (one.closest("[disabled], fieldset:disabled, [aria-disabled=true]")) return null;
    const box = one.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) return null;
    if (!one.checkVisibility({opacityProperty: true, visibilityProperty: true})) return null;
    const own = getComputedStyle(one);
    if (own.backgroundImage !== "none") return null;
    const look = [own.color, own.fontSize, own.fontWeight, own.textShadow, own.fill, one.localName === "input", behind(one)];
    return look.join("|");
  }
  function behind(one) {
    if (!one) return "";
    let found = behinds.get(one);
    if (found === undefined) {
      const style = getComputedStyle(one);
      const layer = [style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.position].join(" ");
      found = behind(one.parentElement) + (layer === "rgba(0, 0, 0, 0) none 1 none static" ? "" : `|${layer}`);
      behinds.set(one, found);
    }
    return found;
  }
}
"""


def violations(
    page: Page, *, besides: tuple[str, ...] = (), within: str | None = None
) -> dict[str, list[str]]:
    """Each rule that a loaded page breaks, with the elements that break it.

    ``besides`` are left out. A click returns when the browser has the head of the next page, and
    axe fails in a document without elements, so it waits for the whole page.
    """
    page.wait_for_load_state("load")
    with running_scripts(page):
        # A page of another host than the site's has axe from here.
        if page.evaluate("typeof axe === 'undefined'") and not page.evaluate(_LOAD, AXE_PATH):
            page.evaluate(AXE)
        given = [list(besides), within, list(_enough)]
        found, passed = page.evaluate(_RUN, given)
    _enough.update(passed)
    rules: list[tuple[str, list[str]]] = found
    return dict(rules)


def axe_clean(page: Page, *, besides: tuple[str, ...] = (), within: str | None = None) -> None:
    """Make sure that axe finds nothing."""
    for _ in each_view(page):
        _nothing_violated(page, besides=besides, within=within)


def _nothing_violated(
    page: Page, *, besides: tuple[str, ...] = (), within: str | None = None
) -> None:
    found = violations(page, besides=besides, within=within)
    assert not found, "\n".join(f"{rule} {elements[:3]}" for rule, elements in found.items())


def looks_well(page: Page) -> None:
    """Make sure that axe finds nothing, and that nothing is wider than its place or the window.

    A page without scripts has the same elements, up to those that its own test gives to axe.
    """
    for _ in each_view(page):
        if runs_scripts(page):
            _nothing_violated(page)
        assert scrolling_sideways(page) == []
        assert pixels_beyond_window(page) == 0
