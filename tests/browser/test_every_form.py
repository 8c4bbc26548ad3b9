"""Every form of the console is sent by a browser in every manner, and its tests say which."""

import ast
from pathlib import Path

from app.console.site import CONSOLE_ROUTES

# Only a script sends the pending changes for their preview: `EACH_SIZE` is every manner of it.
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


def test_every_form_is_sent_at_both_sizes_with_scripts_and_without() -> None:
    """Break: take a form from a test's `sends`, or `EACH_MANNER` from a test."""
    endpoints = [one for routes in CONSOLE_ROUTES for one in routes.endpoints]
    posts = [one for one in endpoints if one.method == "POST" and one.alias_of is None]
    forms = {one.path.removeprefix("/console") for one in posts}
    assert sent_in("EACH_MANNER") == forms - _BY_SCRIPT
    assert sent_in("EACH_SIZE") == _BY_SCRIPT
