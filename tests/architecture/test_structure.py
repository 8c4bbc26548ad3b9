"""The house rules that a machine can check: sizes, names, docstrings, the time."""

import ast
from collections.abc import Iterator
from pathlib import Path

from support.each import each

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
MODULES = sorted(
    path for path in APP.rglob("*.py") if path.parent != APP / "db" / "migrations" / "versions"
)

REVIEWED_ABOVE, NEVER_ABOVE = 300, 400
LONGEST_FUNCTION = 50
# Modules above 300 lines and why each is one.
LONG_MODULES = {
    "app/web/server/worker.py": "one event loop: each phase of a connection next to the others",
    "app/messages/delivery/apply_report.py": "the guarded write of a callback, once for each engine",
    "app/messages/reconciliation/reconcile.py": "one round of questions to the provider, step by step",
    "app/providers/port.py": "all that is asked of a provider, with its values and errors",
    "app/destinations/api/schemas.py": "the wire shapes of one API, a few lines each",
    "app/destinations/storage/policies.py": "a policy and its history, read and written",
    "app/messages/sending/open_submission.py": "one write: the submission, its key and its guards",
    "app/messages/sending/record_outcome.py": "each outcome with its statements",
    "app/messages/sending/send.py": "the protocol of a send, with the call of the provider",
    "app/guards/configuration.py": "one JSON shape, read and written",
    "app/guards/counters.py": "the check and count of a send, once for each engine",
}
# Functions above 50 lines and why each is one.
LONG_FUNCTIONS: dict[str, str] = {
    "app/bootstrap.py:open_services": "each service of the web processes, a line each"
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "service", "services"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=relative(path))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_there_are_modules_to_look_at() -> None:
    assert len(MODULES) > 100


def test_no_module_is_longer_than_400_lines_and_each_above_300_has_its_reason() -> None:
    long = {relative(path): lines(path) for path in MODULES if lines(path) > REVIEWED_ABOVE}
    assert {name for name, length in long.items() if length > NEVER_ABOVE} == set()
    assert long.keys() == LONG_MODULES.keys(), "review it, then note the reason or split it"


def test_no_function_is_longer_than_50_lines() -> None:
    long = {
        f"{relative(path)}:{found.name}"
        for path in MODULES
        for found in functions(path)
        if (found.end_lineno or 0) - found.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == LONG_FUNCTIONS.keys()


def test_the_name_of_a_public_class_is_defined_once() -> None:
    """Break: name another class `Provider`."""
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(relative(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_module_is_named_for_being_useful() -> None:
    named = {part for path in MODULES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert named & FORBIDDEN_NAMES == set()


@each("path", MODULES, ids=relative)
def test_every_module_has_a_docstring(path: Path) -> None:
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree(path))


# Who may ask the system for the time. The emulator knows nothing of the gateway, its clock too.
CLOCKS = {"app/kernel/clock.py", "app/emulator/config.py"}
ASKING = {"now", "utcnow", "today", "time", "time_ns", "fromtimestamp"}
OF = {"datetime", "date", "time"}


def test_one_module_asks_the_system_for_the_time() -> None:
    asking = {
        relative(path)
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in ASKING
        and isinstance(node.value, ast.Name)
        and node.value.id in OF
    }
    assert asking <= CLOCKS


def test_nothing_is_left_to_do_and_no_path_of_a_machine_is_named() -> None:
    marks = ("TODO", "FIXME", "XXX ", "/home/", "/Users/", "/work/", "/tmp/")
    found = {
        f"{relative(path)}: {mark}"
        for path in MODULES
        for mark in marks
        if mark in path.read_text(encoding="utf-8")
    }
    assert found == set()


def test_no_module_is_a_copy_of_another() -> None:
    """Break: copy a test module to another name."""
    found: dict[str, list[str]] = {}
    for path in [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 10:
            found.setdefault(text, []).append(relative(path))
    assert [paths for paths in found.values() if len(paths) > 1] == []
