"""Who knows whom: the contracts of import-linter hold, and HTTP stays at the edge."""

import subprocess
import sys
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

# The modules that may speak HTTP; every other one gets values and returns values.
SPEAKS_HTTP = (
    "app.tracing",
    "app.application",
    "app.serving",
    "app.web",
    "app.web.*",
    "app.emulator.*",
    "app.*.api",
    "app.*.*_api",
    "app.*.api.*",
    "app.access.guard",
    "app.console.*",
    "app.providers.twilio.callbacks",
    "app.worker.web_watch",
)
# The modules that may read what a client sent by a schema of marshmallow.
READS_WIRE = (*SPEAKS_HTTP, "app.*.schemas", "app.destinations.api.document", "app.provisioning.*")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("app", include_external_packages=True, cache_dir=None)


def ours(graph: grimp.ImportGraph) -> list[str]:
    return sorted(name for name in graph.modules if name == "app" or name.startswith("app."))


def test_the_contracts_of_import_linter_hold() -> None:
    # In a process of its own: it would switch off every logger of this one.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def test_no_module_imports_itself_by_any_way_round(graph: grimp.ImportGraph) -> None:
    imports = {
        name: {of for of in graph.find_modules_directly_imported_by(name) if of.startswith("app")}
        for name in ours(graph)
    }
    order = list(TopologicalSorter(imports).static_order())
    assert len(order) == len(imports)


@pytest.mark.parametrize(
    ("package", "allowed"),
    [("flask", SPEAKS_HTTP), ("werkzeug", SPEAKS_HTTP), ("marshmallow", READS_WIRE)],
)
def test_only_web_modules_use_http(
    graph: grimp.ImportGraph, package: str, allowed: tuple[str, ...]
) -> None:
    importers = graph.find_modules_that_directly_import(package)
    strangers = {
        name for name in importers if not any(fnmatch(name, pattern) for pattern in allowed)
    }
    assert strangers == set()


def test_without_an_adapter_all_but_the_assembly_can_be_imported(graph: grimp.ImportGraph) -> None:
    """Break: import a code of Twilio's in a feature."""
    found = graph.find_downstream_modules("app.providers.twilio", as_package=True)
    assembly = {"app.application", "app.bootstrap", "app.serving", "app.cli"}
    assert {name for name in found if name not in assembly} == {
        name for name in found if name.startswith("app.cli.")
    }


def test_only_entry_points_import_the_assembly(graph: grimp.ImportGraph) -> None:
    assert graph.find_modules_that_directly_import("app.application") == {"app.serving"}
    assert graph.find_modules_that_directly_import("app.serving") == set()
    assert graph.find_modules_that_directly_import("app") - {"app"} <= {"app.cli.destinations"}
