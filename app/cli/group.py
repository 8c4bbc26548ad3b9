"""Exit codes, errors and output of every command: 0 done, 1 failed, 64 wrong usage.

An expected failure prints ``error:`` lines; a defect prints its traceback.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from app.db.clock import ClocksDiffer
from app.db.installation import SecretsDiffer
from app.kernel.errors import PublicError, ServiceUnavailable, ValidationFailed
from app.provisioning.file import FileRefused
from app.settings import SettingsError

FAILED = 1
WRONG_USAGE = 64


class CommandFailure(click.ClickException):
    """An expected failure; each line is one reason."""

    exit_code = FAILED

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))

    def show(self, file: Any = None) -> None:
        for line in self.lines:
            click.echo(f"error: {line}", file=file, err=file is None)


class Command(click.Command):
    """Expected failures exit 1, wrong usage exits 64."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _exit_codes():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _exit_codes():
            return super().invoke(ctx)


class Group(Command, click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def echo_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def echo_result(value: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print a result as JSON, or else as lines of text."""
    if as_json:
        echo_json(value)
        return
    for line in lines:
        click.echo(line)


def table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    cells = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def printable(text: str) -> str:
    """Return a text on one line, without control characters."""
    return "".join(char if char.isprintable() else "?" for char in text)


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except click.UsageError as problem:
        problem.exit_code = WRONG_USAGE  # type: ignore[misc]  # click reads it from here
        raise
    except SettingsError as problem:
        raise CommandFailure(*problem.problems) from problem
    except FileRefused as problem:
        raise CommandFailure(*map(str, problem.problems)) from problem
    except (ClocksDiffer, SecretsDiffer) as problem:
        raise CommandFailure(str(problem)) from problem
    except ServiceUnavailable as problem:
        raise CommandFailure(_about_the_database(problem)) from problem
    except ValidationFailed as problem:
        raise CommandFailure(*_problems(problem)) from problem
    except PublicError as problem:
        raise CommandFailure(problem.text) from problem


def _problems(failed: ValidationFailed) -> list[str]:
    found = failed.details or {}
    return [f"{path}: {text}" for path, texts in found.items() for text in texts]


def _about_the_database(problem: ServiceUnavailable) -> str:
    cause = str(getattr(problem.__cause__, "orig", None) or "").strip()
    text = "the database cannot be reached or is busy: see BORDERPOST_DATABASE_URL"
    return f"{text} ({cause.splitlines()[0]})" if cause else text
