"""What a command reads: a file, or standard input."""

import sys
from pathlib import Path

from app.cli.group import Failure

_STANDARD_INPUT = "-"


def read_input(file: str) -> bytes:
    """Read a file, or standard input where it is named ``-``.

    Raises:
        Failure: the file cannot be read.
    """
    if file == _STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as problem:
        raise Failure(f"{file}: cannot be read: {problem.strerror}") from problem
