"""`destinations suspend` and `resume`, with the aliases `freeze` and `thaw`."""

import click

from app.access.principal import Role
from app.cli.actor import command_line_actor
from app.cli.destinations.options import TextParam
from app.cli.destinations.workspace import json_option, opened_workspace, workspace_option
from app.cli.group import Command, echo_json
from app.tenancy.api import render_workspace
from app.tenancy.workspaces import set_suspended

_reason = click.option(
    "--reason", required=True, type=TextParam(), help="Reason, shown in the audit log."
)


@click.command("suspend", cls=Command)
@_reason
@workspace_option
@json_option
def suspend_command(*, reason: str, workspace: str | None, as_json: bool) -> None:
    """Stop all sends of a workspace, from the next request on."""
    _set(workspace, suspended=True, reason=reason, as_json=as_json)


@click.command("resume", cls=Command)
@_reason
@workspace_option
@json_option
def resume_command(*, reason: str, workspace: str | None, as_json: bool) -> None:
    """Let a suspended workspace send again."""
    _set(workspace, suspended=False, reason=reason, as_json=as_json)


def _set(workspace: str | None, *, suspended: bool, reason: str, as_json: bool) -> None:
    with opened_workspace(workspace) as opened, opened.database.writing() as connection:
        row = set_suspended(
            connection,
            opened.workspace_id,
            suspended=suspended,
            reason=reason,
            actor=command_line_actor(),
            now=opened.now,
        )
    if as_json:
        echo_json(render_workspace(row, Role.OWNER))
        return
    already = " already" if (opened.row.suspended_at is not None) == suspended else ""
    if suspended:
        click.echo(
            f"{opened.name} is suspended{already}: every send is refused until it is resumed"
        )
    else:
        click.echo(f"{opened.name} is not suspended{already and ', nothing to resume'}")
