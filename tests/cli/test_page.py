"""The page about the command line names every command."""

from pathlib import Path

import click

from app.cli import borderpost

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def _paths(group: click.Group, above: str = "") -> list[str]:
    found = []
    for name, command in group.commands.items():
        path = f"{above}{name}"
        found += _paths(command, f"{path} ") if isinstance(command, click.Group) else [path]
    return found


def test_the_page_names_every_command() -> None:
    page = PAGE.read_text(encoding="utf-8")
    paths = _paths(borderpost)
    assert "keys create" in paths
    assert [path for path in paths if f"| `{path}" not in page] == []


def test_the_page_about_destinations_names_every_command_of_theirs() -> None:
    page = PAGE.with_name("destinations.md").read_text(encoding="utf-8")
    paths = [path for path in _paths(borderpost) if path.startswith("destinations ")]
    assert "destinations rule add" in paths
    assert [path for path in paths if f"borderpost {path}" not in page] == []
