"""Input of a command: parameters and files."""

import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from app.cli.group import CommandFailure
from app.kernel.clock import parse_rfc3339, to_milliseconds
from app.kernel.ids import parse_id
from app.kernel.whole_numbers import read_whole_number

_STANDARD_INPUT = "-"


class WholeNumberParam(click.IntRange):
    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, str) and read_whole_number(value) is None:
            self.fail(f"{value!r} is not a valid integer.", param, ctx)
        return super().convert(value, param, ctx)


class IdParam(click.ParamType[UUID]):
    name = "UUID"

    def convert(self, value: Any, param: Any, ctx: Any) -> UUID:
        found = value if isinstance(value, UUID) else parse_id(value)
        if found is None:
            self.fail(f"{value!r} is not a UUID.", param, ctx)
        return found


def read_input(file: str) -> bytes:
    """Read a file, or standard input for ``-``; raises `CommandFailure`."""
    if file == _STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as problem:
        raise CommandFailure(f"{file}: cannot be read: {problem.strerror}") from problem


_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([1-9][0-9]{0,4})([mhdw])", re.ASCII)


class TimeParam(click.ParamType[datetime]):
    name = "RFC3339"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        try:
            return value if isinstance(value, datetime) else parse_rfc3339(value)
        except ValueError:
            self.fail("must be a time with its offset, as 2030-01-31T12:00:00Z", param, ctx)


class DurationParam(click.ParamType[timedelta]):
    """A whole number of minutes, hours, days or weeks: ``90d``."""

    name = "DURATION"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = _DURATION.fullmatch(value)
        if found is None:
            self.fail("must be a number and one of m, h, d, w: 90d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


def ending(
    now: datetime,
    at: datetime | None,
    after: timedelta | None,
    options: str = "--until and --for",
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
