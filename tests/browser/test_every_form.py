"""Every form of the console is sent by a browser with scripts and without, and its tests say which."""

import ast
import re
from pathlib import Path

from app.console.site import CONSOLE_ROUTES
from support.processes import ROOT

# Only a script sends the pending changes for their preview.
_BY_SCRIPT = {"/destinations/preview"}


def sent_in(manners: str) -> set[str]:
    """The forms that tests with these manners send; a fixture sees that their browser does."""
    found: set[str] = set()
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        for test in ast.walk(ast.parse(file.read_text())):
            if isinstance(test, ast.FunctionDef):
                names = {one.id for one in test.decorator_list if isinstance(one, ast.Name)}
                calls = [one for one in test.decorator_list if isinstance(one, ast.Call)]
                if manners in names:
                    found |= {path for call in calls for path in _paths_of(call)}
    return found


def _paths_of(decorator: ast.Call) -> set[str]:
    if not isinstance(decorator.func, ast.Name) or decorator.func.id != "sends":
        return set()
    return {ast.literal_eval(one) for one in decorator.args}


def test_every_form_is_sent_with_scripts_and_without() -> None:
    """Break: take a form from a test's `sends`, or `BOTH_WAYS` from a test."""
    endpoints = [one for routes in CONSOLE_ROUTES for one in routes.endpoints]
    posts = [one for one in endpoints if one.method == "POST" and one.alias_of is None]
    forms = {one.path.removeprefix("/console") for one in posts}
    assert sent_in("EACH_MANNER") | sent_in("BOTH_WAYS") == forms - _BY_SCRIPT
    assert sent_in("EACH_SIZE") == _BY_SCRIPT


def test_no_rule_is_for_wide_windows_alone() -> None:
    """Most pages are used on a phone only: there all rules of a desktop hold, and more."""
    sheets = [*(ROOT / "app/console").rglob("*.css"), *(ROOT / "app/web/static").glob("*.css")]
    queries = [one for sheet in sheets for one in re.findall(r"@media[^{]*", sheet.read_text())]
    assert [one for one in queries if "max-width" in one]
    assert [one for one in queries if "min-width" in one or "width >" in one] == []


def test_no_script_asks_for_the_size_where_pages_are_used_on_a_phone_only() -> None:
    """The finder and the charts are used at each size."""
    asks = re.compile(
        r"\b(?:inner|outer|client|offset|scroll)(?:Width|Height)|offsetParent|ResizeObserver"
        r"|visualViewport|\bscreen\.|BoundingClientRect|matchMedia\((?!\"\(prefers-color-scheme)"
    )
    scripts = [*(ROOT / "app/console/assets").glob("*.js"), *(ROOT / "app/web/static").glob("*.js")]
    found = {one.name: set(asks.findall(one.read_text())) for one in scripts}
    assert {name: words for name, words in found.items() if words} == {
        "console.js": {"offsetParent"},
        "overview.js": {"clientWidth", "ResizeObserver"},
    }
