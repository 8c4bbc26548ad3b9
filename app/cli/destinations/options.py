"""Options of every change: reason, `--if-match` and dry run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

import click

from app.cli.destinations.workspace import json_option, workspace_option
from app.cli.group import CommandFailure
from app.cli.input import WholeNumberParam
from app.cli.times import DurationParam, TimeParam
from app.kernel.clock import to_milliseconds
from app.kernel.errors import RevisionMismatch

MAX_REVISION = 2**31 - 1
_MAX_REASON = 500


class TextParam(click.ParamType[str]):
    """A storable text of up to 500 characters."""

    name = "TEXT"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        text = str(value).strip()
        if not 0 < len(text) <= _MAX_REASON or any("\ud800" <= c <= "\udfff" for c in text):
            self.fail(f"must have 1 to {_MAX_REASON} characters", param, ctx)
        return text


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    workspace: str | None
    dry_run: bool
    reason: str | None
    if_match: int | None
    as_json: bool

    def mismatch(self, problem: RevisionMismatch) -> CommandFailure:
        found = (problem.details or {}).get("revision")
        return CommandFailure(
            f"the current revision is {found}, not {self.if_match}: nothing was changed"
        )


_OPTIONS = (
    workspace_option,
    click.option(
        "--dry-run",
        is_flag=True,
        help="Change nothing: print the difference and its effect on the last 30 days of traffic.",
    ),
    click.option("--reason", type=TextParam(), help="Reason, shown in the history."),
    click.option(
        "--if-match",
        metavar="REVISION",
        type=WholeNumberParam(0, MAX_REVISION),
        help="Change only if this is still the current revision.",
    ),
    json_option,
)
acknowledge_option = click.option(
    "--acknowledge-high-risk",
    "acknowledged",
    metavar="CODE",
    multiple=True,
    help="Allow this country although Twilio rates it high-risk; may be repeated.",
)


def change_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a change, passed as one argument ``options``."""

    @wraps(command)
    def gathered(
        *,
        workspace: str | None,
        dry_run: bool,
        reason: str | None,
        if_match: int | None,
        as_json: bool,
        **others: Any,
    ) -> None:
        command(options=ChangeOptions(workspace, dry_run, reason, if_match, as_json), **others)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


def ending_options(command: Callable[..., None]) -> Callable[..., None]:
    lasting = click.option(
        "--for", "lasting", type=DurationParam(), help="How long it lasts, for example 2h."
    )
    until = click.option("--until", type=TimeParam(), help="When it expires.")
    return until(lasting(command))


def ending(now: datetime, until: datetime | None, lasting: timedelta | None) -> datetime | None:
    """Return when the change expires, or None; raises `click.UsageError`."""
    if until is not None and lasting is not None:
        raise click.UsageError("--until and --for exclude each other.")
    return until if lasting is None else to_milliseconds(now + lasting)
