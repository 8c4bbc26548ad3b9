"""`destinations allow` and `block`: change some countries."""

from datetime import datetime, timedelta

import click

from app.cli.destinations.change import echo_outcome, make
from app.cli.destinations.hints import hints_about
from app.cli.destinations.options import (
    How,
    acknowledge_option,
    change_options,
    ending,
    ending_options,
)
from app.cli.destinations.workspace import opened_workspace
from app.cli.group import Command
from app.destinations import changes

_codes = click.argument("codes", metavar="CODE...", nargs=-1, required=True)


@click.command("allow", cls=Command)
@_codes
@ending_options
@acknowledge_option
@change_options
def allow_command(
    *,
    codes: tuple[str, ...],
    until: datetime | None,
    lasting: timedelta | None,
    acknowledged: tuple[str, ...],
    how: How,
) -> None:
    """Allow countries, permanently or until a time.

    Removes a rule that blocks one of them as a whole; rules for prefixes and numbers stay.
    """
    with opened_workspace(how.workspace) as opened:
        ends_at = ending(opened.now, until, lasting)
        reason = None if ends_at is None else how.reason
        outcome = make(opened, changes.Allow(codes, acknowledged, ends_at, reason), how)
        with opened.database.reading() as connection:
            hints = hints_about(connection, codes, outcome.changed.effective, opened.now)
    echo_outcome(opened, outcome, how, extra=hints.as_json())
    if not how.as_json:
        for line in hints.lines(dry_run=how.dry_run):
            click.echo(line)


@click.command("block", cls=Command)
@_codes
@change_options
def block_command(*, codes: tuple[str, ...], how: How) -> None:
    """Block countries from the next send on.

    Removes a rule that allows one of them as a whole; rules for prefixes and numbers stay.
    """
    with opened_workspace(how.workspace) as opened:
        outcome = make(opened, changes.Block(codes), how)
    echo_outcome(opened, outcome, how)
