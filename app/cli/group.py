"""Exit codes, errors, parameters and output of every command: 0 done, 1 failed, 64 wrong usage."""

import errno
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from app.db.clock import ClocksDiffer
from app.db.copy import CopyRefused
from app.db.encryption import DecryptionError
from app.db.installation import SecretsDiffer
from app.db.schema import UnknownRevision
from app.db.unavailable import why_unavailable
from app.demo.processes import DemoFailed
from app.kernel.clock import parse_rfc3339, to_milliseconds
from app.kernel.countries import is_country
from app.kernel.errors import PublicError, ServiceUnavailable, ValidationFailed
from app.kernel.ids import parse_id
from app.kernel.whole_numbers import read_whole_number
from app.prices.price_file import WrongPrices
from app.providers.port import ProviderUnknown
from app.provisioning.file import FileRefused
from app.settings import SettingsError

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)
T = TypeVar("T")
FAILED = 1
WRONG_USAGE = 64
STANDARD_INPUT = "-"
_WANTS_JSON = "app.cli.wants_json"
_UNWRITABLE = "the output cannot be written"
_OF_OUTPUT = {errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC}
# Their texts are written for people.
_REASONS = (
    ClocksDiffer,
    CopyRefused,
    DecryptionError,
    DemoFailed,
    ProviderUnknown,
    SecretsDiffer,
    UnknownRevision,
)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([1-9][0-9]{0,4})([mhdw])", re.ASCII)


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
    command_class = Command
    group_class = type


borderpost = Group(
    name="borderpost",
    help="A self-hosted SMS gateway over Twilio that lets nothing cross a border it should not.",
    epilog="Exit codes: 0 done, 1 failed, 2 where a command says so, 64 wrong usage.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(package_name="borderpost", message="%(prog)s %(version)s")(borderpost)


def options_of(*options: Callable[[Any], Any]) -> Callable[[FC], FC]:
    return lambda command: reduce(lambda found, option: option(found), reversed(options), command)


def json_option_of(help_text: str) -> Callable[[FC], FC]:
    """Add ``--json``, which `echo_result` obeys."""

    def note(context: click.Context, _option: click.Parameter, is_given: bool) -> None:
        context.meta[_WANTS_JSON] = is_given

    return click.option("--json", is_flag=True, expose_value=False, callback=note, help=help_text)


json_option = json_option_of("Print JSON.")


def wants_json() -> bool:
    return bool(click.get_current_context().meta[_WANTS_JSON])


def echo_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def echo_result(value: object, lines: Iterable[str], lost: str | None = None) -> None:
    """``lost`` is also printed if the output cannot be written."""
    if lost is not None and sys.stdout is None:
        raise CommandFailure(f"{_UNWRITABLE}: it is closed", lost)
    try:
        if wants_json():
            echo_json(value)
            return
        for line in lines:
            click.echo(line)
    except OSError as problem:
        if lost is None:
            raise
        raise CommandFailure(f"{_UNWRITABLE}: {problem.strerror}", lost) from problem


def table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    cells = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except click.UsageError as problem:
        problem.exit_code = WRONG_USAGE  # type: ignore[misc]  # click reads it from here
        raise
    except UnicodeEncodeError as problem:
        # Python keeps the bytes of an argument that is not UTF-8 as surrogates.
        failure = CommandFailure("an argument is not UTF-8 text")
        failure.exit_code = WRONG_USAGE  # type: ignore[misc]
        raise failure from problem
    except (FileRefused, SettingsError, WrongPrices) as problem:
        raise CommandFailure(*map(str, problem.problems)) from problem
    except _REASONS as problem:
        raise CommandFailure(str(problem)) from problem
    except PublicError as problem:
        raise CommandFailure(*_reasons(problem)) from problem
    except OSError as problem:
        if problem.filename is not None:
            raise CommandFailure(f"{problem.filename}: {problem.strerror}") from problem
        if problem.errno not in _OF_OUTPUT:
            raise  # click ends quietly at a closed pipe
        raise CommandFailure(f"{_UNWRITABLE}: {problem.strerror}") from problem


def described(failed: ValidationFailed) -> list[str]:
    found = failed.details or {}
    return [f"{path}: {text}" for path, texts in found.items() for text in texts]


def _reasons(problem: PublicError) -> list[str]:
    if isinstance(problem, ValidationFailed):
        return described(problem)
    if isinstance(problem.__cause__, SecretsDiffer):
        return [str(problem.__cause__)]
    if isinstance(problem, ServiceUnavailable):
        return [why_unavailable(problem)]
    return [problem.text]


class WholeNumberParam(click.IntRange):
    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, str) and read_whole_number(value) is None:
            self.fail(f"{value!r} is not a valid integer.", param, ctx)
        return super().convert(value, param, ctx)


class ReadParam(click.ParamType[T]):
    """``read`` returns None, or raises `ValueError`, for a wrong text."""

    def __init__(self, name: str, read: Callable[[str], T | None], refusal: str) -> None:
        self.name, self._read, self._refusal = name, read, refusal

    def convert(self, value: Any, param: Any, ctx: Any) -> T:
        try:
            found: T | None = self._read(value) if isinstance(value, str) else value
        except ValueError:
            found = None
        if found is None:
            self.fail(f"{value!r} {self._refusal}", param, ctx)
        return found


def _read_duration(text: str) -> timedelta | None:
    found = _DURATION.fullmatch(text)
    return found and timedelta(**{_UNITS[found[2]]: int(found[1])})


COUNTRY = ReadParam(
    "CC",
    lambda text: text if is_country(text) else None,
    "is no ISO 3166-1 alpha-2 code in upper case.",
)
DURATION = ReadParam("DURATION", _read_duration, "must be 1 to 99999 and one of m, h, d, w: 90d")
ID = ReadParam("UUID", parse_id, "is not a UUID.")
TIME = ReadParam(
    "RFC3339", parse_rfc3339, "must be a time with its offset, as 2030-01-31T12:00:00Z"
)


def read_input(file: str) -> bytes:
    """Read a file, or standard input for ``-``; raises `CommandFailure`."""
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as problem:
        raise CommandFailure(f"{file}: cannot be read: {problem.strerror}") from problem


def ending(
    now: datetime, at: datetime | None, after: timedelta | None, options: str = "--until and --for"
) -> datetime | None:
    """Return when a change or a new object expires, or None; raises `click.UsageError`."""
    if at is not None and after is not None:
        raise click.UsageError(f"{options} exclude each other.")
    return at if after is None else to_milliseconds(now + after)


def expiry(now: datetime, at: datetime | None, after: timedelta | None) -> datetime | None:
    """Also raises `click.UsageError` for a time that has passed."""
    ends_at = ending(now, at, after, "--expires-at and --expires-in")
    if ends_at is not None and ends_at <= now:
        raise click.UsageError("--expires-at has passed already.")
    return ends_at
