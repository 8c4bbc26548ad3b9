"""Input of a command: parameters and files."""

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from app.cli.group import CommandFailure
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
