"""`destinations inherit` and `restore`."""

import click

from app.cli.destinations.change import echo_outcome, make
from app.cli.destinations.options import MAX_REVISION, ChangeOptions, change_options
from app.cli.destinations.workspace import opened_workspace
from app.cli.group import Command, CommandFailure
from app.cli.input import WholeNumberParam
from app.destinations import changes
from app.kernel.errors import NotFound


@click.command("inherit", cls=Command)
@click.argument("switch", metavar="[on|off]", type=click.Choice(["on", "off"]))
@change_options
def inherit_command(*, switch: str, options: ChangeOptions) -> None:
    """Use the parent's policy (on), or start an own one from a copy of it (off)."""
    with opened_workspace(options.workspace) as opened:
        change = changes.SetInheritance(switch == "on")
        outcome = make(opened, change, options)
    echo_outcome(opened, outcome, options)


@click.command("restore", cls=Command)
@click.argument("revision", type=WholeNumberParam(1, MAX_REVISION))
@change_options
def restore_command(*, revision: int, options: ChangeOptions) -> None:
    """Restore the policy of REVISION, as a new revision.

    The organization's denied destinations stay denied; expired rules are not restored.
    """
    with opened_workspace(options.workspace) as opened:
        change = changes.RestoreRevision(revision)
        try:
            outcome = make(opened, change, options)
        except NotFound as problem:
            raise CommandFailure(f"{opened.name} has no revision {revision}") from problem
    echo_outcome(opened, outcome, options)
