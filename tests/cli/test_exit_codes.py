"""0 done, 1 failed, 64 wrong usage; the same under `borderpost` and under `flask`."""

from importlib.metadata import version

import click
import pytest
from flask import Flask

from app.cli import COMMANDS, borderpost
from app.cli.group import Command, Group
from app.kernel.errors import WorkspaceSuspended
from support.commands import Run
from support.each import each

pytestmark = pytest.mark.one_engine


WRONG_USAGE = [
    [],
    ["nonsense"],
    ["--nonsense"],
    ["apply"],
    ["apply", "a", "b"],
    ["apply", "a", "--nonsense"],
    ["init", "now"],
    ["db"],
    ["db", "downgrade"],
    ["db", "--nonsense"],
    ["keys"],
    ["keys", "forget"],
    ["keys", "create"],
    ["keys", "create", "--name", "x"],
    ["keys", "create", "--name", "x", "--role", "root"],
    ["keys", "create", "--name", "", "--role", "viewer"],
    ["keys", "create", "--name", "x", "--role", "viewer", "--expires-in", "soon"],
    ["keys", "create", "--name", "x", "--role", "viewer", "--expires-at", "2031-01-01"],
    ["keys", "create", "--name", "x", "--role", "viewer", "--expires-at", "2001-01-01T00:00:00Z"],
    [
        "keys",
        "create",
        "--name",
        "x",
        "--role",
        "viewer",
        "--expires-in",
        "1d",
        "--expires-at",
        "2099-01-01T00:00:00Z",
    ],
    ["keys", "revoke"],
    ["emulator", "--port", "70000"],
]


@each("arguments", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_exits_64(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 64
    assert "Usage:" in result.stderr
    assert result.stdout == ""


@each("arguments", [a for a in WRONG_USAGE if len(a) > 1], ids=" ".join)
def test_wrong_usage_exits_64_under_flask_too(run: Run, arguments: list[str]) -> None:
    app = Flask(__name__)
    for command in COMMANDS:
        app.cli.add_command(command)
    assert app.test_cli_runner().invoke(args=arguments).exit_code in (
        {2} if arguments[0].startswith("-") else {64}
    )


def _all(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for name, command in group.commands.items():
        inside = (*path, name)
        found += _all(command, inside) if isinstance(command, click.Group) else [inside]
    return found


@each("path", _all(borderpost), ids=" ".join)
def test_every_command_has_help(run: Run, path: tuple[str, ...]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    command: click.Command = borderpost
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert isinstance(command, Command | Group)
    assert command.help


def test_a_failure_prints_error_lines_and_exits_1(run: Run) -> None:
    result = run("apply", "no-such-file.toml")
    assert result.exit_code == 1
    assert result.stderr == "error: no-such-file.toml: cannot be read: No such file or directory\n"
    assert result.stdout == ""


def test_a_failure_exits_1_under_flask_too(
    environ: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Flask(__name__)
    for command in COMMANDS:
        app.cli.add_command(command)
    result = app.test_cli_runner(env=environ).invoke(args=["keys", "revoke", "nobody"])
    assert (result.exit_code, result.stderr) == (1, "error: there is no access key nobody\n")


def test_wrong_settings_are_reported_together(run: Run, environ: dict[str, str | None]) -> None:
    environ |= {"BORDERPOST_THREADS": "none", "BORDERPOST_TWILIO_URL": "nowhere"}
    result = run("keys", "list")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: BORDERPOST_TWILIO_URL: must be an http or https URL with a host\n"
        "error: BORDERPOST_THREADS: must be a whole number from 1 to 512\n"
    )


def test_missing_database_is_reported_without_a_traceback(
    run: Run, environ: dict[str, str | None]
) -> None:
    environ["BORDERPOST_DATABASE_URL"] = "sqlite:////no/such/folder/borderpost.db"
    result = run("keys", "list")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: the database cannot be reached or is busy: see BORDERPOST_DATABASE_URL "
        "(unable to open database file)\n"
    )


def test_public_error_prints_its_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise WorkspaceSuspended

    monkeypatch.setattr("app.cli.keys.load_keys", refuse)
    result = run("keys", "list")
    assert result.exit_code == 1
    assert result.stderr == "error: The workspace is suspended and cannot send messages.\n"


def test_a_defect_is_no_failure_that_was_foreseen(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("app.cli.keys.load_keys", break_down)
    with pytest.raises(ZeroDivisionError):
        run("keys", "list")


def test_the_version_is_the_one_of_the_package(run: Run) -> None:
    found = run("--version")
    assert (found.exit_code, found.stdout) == (0, f"borderpost {version('borderpost')}\n")
