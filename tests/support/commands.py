"""Giving commands about destinations, and reading what they print."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Run: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Commands:
    """The commands under `destinations`, as one user of this machine gives them."""

    run: Run

    def __call__(self, *arguments: str, exits: int = 0, stdin: str | None = None) -> Any:
        """Give a command; its exit code must be as expected."""
        result = self.run("destinations", *arguments, stdin=stdin)
        assert result.exit_code == exits, result.output
        return result

    def lines(self, *arguments: str, **options: Any) -> list[str]:
        """What the command prints for people."""
        found: list[str] = self(*arguments, **options).stdout.splitlines()
        return found

    def json(self, *arguments: str, **options: Any) -> Any:
        """What the command prints for programs."""
        return json.loads(self(*arguments, "--json", **options).stdout)

    def errors(self, *arguments: str, exits: int = 1, stdin: str | None = None) -> list[str]:
        """What a command that fails prints on standard error, and nothing else."""
        result = self(*arguments, exits=exits, stdin=stdin)
        assert result.stdout == ""
        found: list[str] = result.stderr.splitlines()
        return found
