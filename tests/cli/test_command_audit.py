"""What commands do to the whole installation is in the audit of each organization."""

from pathlib import Path

import pytest

from app.access.tables import audit_events
from app.cli.context import record_command
from support.commands import Run
from support.factories import Factory


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A new database file."""
    return f"sqlite:///{tmp_path / 'other.db'}"


@pytest.mark.parametrize("action", ["privacy.erased", "privacy.purged", "secrets.rotated"])
def test_a_command_is_noted_for_every_organization(factory: Factory, action: str) -> None:
    owners = {factory.organization("Acme"), factory.organization("Other")}
    record_command(factory.database, action, "3 messages")
    rows = factory.rows(audit_events)
    assert {row["organization_id"] for row in rows} == owners
    assert {(row["action"], row["actor_kind"]) for row in rows} == {(action, "command_line")}


def test_every_command_that_concerns_the_installation_leaves_its_row(
    run: Run, acme: Path, factory: Factory, url: str
) -> None:
    """Break: leave out `record_command` in one of the commands."""
    run("apply", str(acme))
    commands = {
        "privacy.erased": ("erase", "+12025550123"),
        "privacy.purged": ("purge",),
        "secrets.rotated": ("secrets", "rotate"),
        "database.copy_started": ("db", "copy", "--to", url),
    }
    for action, command in commands.items():
        result = run(*command)
        assert result.exit_code == 0, (command, result.stderr)
        rows = factory.rows(audit_events, action=action)
        assert [row["actor_kind"] for row in rows] == ["command_line"], action
        assert "+12025550123" not in str(rows)
    assert run("db", "copy", "--to", url, "--verify-only").exit_code == 0
    assert run("db", "copy", "--to", url).exit_code == 0
