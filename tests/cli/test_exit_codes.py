"""Exit codes, under `borderpost` and under `flask`; the help, the page and the numbers of every command."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from flask import Flask

from app.cli import borderpost
from app.cli.group import ID, Command, Group, WholeNumberParam
from app.kernel.errors import WorkspaceSuspended
from support.commands import Run
from support.each import each
from support.processes import ROOT

pytestmark = pytest.mark.one_engine


DOCS = Path(__file__).parents[2] / "docs"
NOT_NUMBERS = ("1_0", "\u0661\u0660", "\uff11", "+5", " 5", "5 ", "1e3", "0x10", "5.0", "9" * 5000)
NOT_IDS = (
    "0b9e7f6e6f0e4c538a431f7f1c1ad001",
    "{0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001}",
    "urn:uuid:0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001",
    " 0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001",
)
# Each command with the arguments that it does not take.
WRONG_USAGE = {
    "": ["", "nonsense", "--nonsense"],
    "apply": ["", "a b", "a --nonsense"],
    "init": ["now"],
    "db": ["", "downgrade", "--nonsense"],
    "keys": ["", "forget", "create", "create --name x", "create --name x --role root", "revoke"],
    "keys create --name '' --role viewer": [""],
    "keys create --name x --role viewer --expires-in": [
        "soon",
        "1d --expires-at 2099-01-01T00:00:00Z",
    ],
    "keys create --name x --role viewer --expires-at": ["2031-01-01", "2001-01-01T00:00:00Z"],
    "emulator": ["--port 70000"],
}
LINES = [f"{command} {wrong}" for command, all_wrong in WRONG_USAGE.items() for wrong in all_wrong]


@each("line", LINES)
def test_wrong_usage_exits_64(run: Run, line: str) -> None:
    result = run(*shlex.split(line))
    assert (result.exit_code, result.stdout) == (64, "")
    assert "Usage:" in result.stderr


def under_flask(environ: dict[str, str | None], *arguments: str) -> Result:
    app = Flask(__name__)
    for command in borderpost.commands.values():
        app.cli.add_command(command)
    return app.test_cli_runner(env=environ).invoke(args=arguments)


@each("line", [line for line in LINES if len(line.split()) > 1])
def test_wrong_usage_exits_64_under_flask_too(environ: dict[str, str | None], line: str) -> None:
    assert under_flask(environ, *shlex.split(line)).exit_code == 64


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A group, and every command and group below it, with its path."""
    yield path, group
    for name, command in group.commands.items():
        inside = (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, inside)
        else:
            yield inside, command


ALL = dict(commands(borderpost))


@each("path", ALL, ids=" ".join)
def test_every_command_has_help(run: Run, path: tuple[str, ...]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert isinstance(ALL[path], Command | Group)
    assert ALL[path].help


def test_the_pages_name_every_command() -> None:
    paths = [" ".join(path) for path, one in ALL.items() if not isinstance(one, click.Group)]
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert "keys create" in paths
    assert [path for path in paths if f"| `{path}" not in page] == []
    page = (DOCS / "destinations.md").read_text(encoding="utf-8")
    of_destinations = [path for path in paths if path.startswith("destinations ")]
    assert "destinations rule add" in of_destinations
    assert [path for path in of_destinations if f"borderpost {path}" not in page] == []


def test_every_number_and_id_of_a_command_has_its_one_form() -> None:
    """Breaks when click reads one by itself: make `--limit` a `click.IntRange`."""
    of_click = (
        *(type(click.INT), type(click.FLOAT), type(click.UUID)),
        *(click.IntRange, click.FloatRange),
    )
    kinds = {(path, of.name): of.type for path, one in ALL.items() for of in one.params}
    plain = {
        path
        for path, kind in kinds.items()
        if isinstance(kind, of_click) and not isinstance(kind, WholeNumberParam)
    }
    assert plain == set()
    assert sum(isinstance(kind, WholeNumberParam) for kind in kinds.values()) > 4
    wrong = [(WholeNumberParam(0), text) for text in NOT_NUMBERS]
    for kind, text in [*wrong, *((ID, text) for text in NOT_IDS)]:
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
    assert WholeNumberParam(0, 9).convert("007", None, None) == 7


@each("text", NOT_NUMBERS)
def test_a_wrong_number_is_wrong_usage_and_named(run: Run, text: str) -> None:
    done = run("destinations", "history", "--limit", text)
    assert (done.exit_code, "--limit" in done.stderr) == (64, True)


def test_a_failure_prints_error_lines_and_exits_1(run: Run) -> None:
    result = run("apply", "no-such-file.toml")
    assert result.exit_code == 1
    assert result.stderr == "error: no-such-file.toml: cannot be read: No such file or directory\n"
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["keys list", "geo check", "destinations list"])
def test_an_argument_that_is_not_utf_8_is_wrong_usage(run: Run, command: str) -> None:
    result = run(*command.split(), "--workspace", os.fsdecode(b"\xff"))
    assert (result.exit_code, result.stdout) == (64, "")
    assert result.stderr == "error: an argument is not UTF-8 text\n"


def test_a_failure_exits_1_under_flask_too(environ: dict[str, str | None]) -> None:
    result = under_flask(environ, "keys", "revoke", "nobody")
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
    reason = (
        "the database cannot be reached or is busy: see BORDERPOST_DATABASE_URL "
        "(unable to open database file)\n"
    )
    result = run("keys", "list")
    assert (result.exit_code, result.stderr) == (1, f"error: {reason}")
    result = run("doctor", "--offline")
    assert (result.exit_code, result.stderr) == (1, "")
    assert f"bad      database: {reason}" in result.stdout


def test_a_path_that_cannot_be_used_is_named(
    run: Run, environ: dict[str, str | None], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "instance"
    environ["BORDERPOST_INSTANCE"] = str(folder)
    failed = run("init")
    assert (failed.exit_code, failed.stderr) == (1, f"error: {folder}: Not a directory\n")


# Commands and the end of the line about a secret that nobody has.
OUTPUTS = {
    "apply {acme} --json": "revoke platform of Acme, backend of Retail",
    "keys create --name x --role viewer": "keys revoke ID`",
    "users create --email a@example.com --role owner": "users reset a@example.com`",
    "users reset a@example.com": "users reset a@example.com`",
    "keys list": None,
    "--help": None,
}


# Loads the program once: each command runs, and ends, in a process forked from there.
_RUN_EACH = """
import json, os, sys
from app.cli import main
for number, arguments in enumerate(json.loads(sys.argv[1])):
    if os.fork() == 0:
        os.dup2(os.open(f"{sys.argv[2]}/{number}.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.argv[1:] = arguments
        main()
        sys.exit("the command did not end")
    code = os.waitstatus_to_exitcode(os.wait()[1])
    if code != 1:
        sys.exit(f"{arguments} ended with {code}")
"""


def _errors(
    environ: dict[str, str | None], folder: Path, lines: list[str], **output: Any
) -> list[list[str]]:
    """Run commands that fail, and give the lines of each on standard error."""
    given = {name: value for name, value in (os.environ | environ).items() if value is not None}
    arguments = [json.dumps([shlex.split(line) for line in lines]), str(folder)]
    done = subprocess.run(
        [sys.executable, "-c", _RUN_EACH, *arguments],
        env=given,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **output,
    )
    assert (done.returncode, done.stderr) == (0, "")
    errors = [(folder / f"{number}.err").read_text("utf-8") for number in range(len(lines))]
    return [re.sub(r"[0-9a-f-]{36}", "ID", text).splitlines() for text in errors]


def test_an_output_that_cannot_be_written_is_an_error_and_lost_secrets_are_named(
    environ: dict[str, str | None], acme: Path, tmp_path: Path
) -> None:
    """Break: in `echo_result`, leave `lost` out; or in `_exit_codes`, let each such error pass."""
    lines = [line.format(acme=acme) for line in OUTPUTS]
    with Path("/dev/full").open("wb") as full:
        found = _errors(environ, tmp_path, lines, stdout=full)
    for (first, *others), lost in zip(found, OUTPUTS.values(), strict=True):
        assert first == "error: the output cannot be written: No space left on device"
        assert [one.endswith(f" {lost}") for one in others] == ([] if lost is None else [True])


def test_a_closed_pipe_ends_a_command_quietly_unless_a_secret_is_lost(
    environ: dict[str, str | None], run: Run, acme: Path, tmp_path: Path
) -> None:
    """Break: in `echo_result`, leave `lost` out."""
    run("apply", str(acme))
    reading, writing = os.pipe()
    os.close(reading)
    lines = ["keys list", "keys create --name x --role viewer"]
    quiet, (reason, lost) = _errors(environ, tmp_path, lines, stdout=writing)
    os.close(writing)
    assert quiet == []
    assert reason == "error: the output cannot be written: Broken pipe"
    assert "nobody has its token" in lost


def test_a_closed_output_is_an_error_and_the_lost_secret_is_named(
    environ: dict[str, str | None], run: Run, acme: Path, tmp_path: Path
) -> None:
    """Break: in `echo_result`, leave the check of a missing output out."""
    run("apply", str(acme))
    lines = ["keys create --name x --role viewer"]
    ((reason, lost),) = _errors(environ, tmp_path, lines, preexec_fn=lambda: os.close(1))
    assert reason == "error: the output cannot be written: it is closed"
    assert "nobody has its token" in lost


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


def test_logs_of_a_command_go_to_standard_error_masked() -> None:
    """Break: leave out `configure_logs`: a warning stood before the JSON of `reconcile --json`."""
    program = """
import sys, structlog
from app.cli import borderpost, main
say = lambda: structlog.get_logger("app").warning("said", number="+12025550123")
borderpost.command("say")(say)
sys.argv[1:] = ["say"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    line = json.loads(done.stderr)
    assert (line["event"], line["level"]) == ("said", "warning")
    assert "2025550123" not in done.stderr
