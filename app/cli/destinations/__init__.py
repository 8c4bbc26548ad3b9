"""`destinations`: the policy of a workspace, its inheritance, and the suspension of sends."""

import click

from app.access.principal import Role
from app.cli.context import command_change
from app.cli.destinations import files, rules, show  # noqa: F401  # they add their commands
from app.cli.destinations.change import (
    MAX_REVISION,
    ChangeOptions,
    TextParam,
    change_options,
    change_policy,
    destinations_group,
    echo_outcome,
    make,
    opened_workspace,
    workspace_option,
)
from app.cli.group import CommandFailure, WholeNumberParam, echo_result, json_option
from app.destinations import changes
from app.kernel.errors import NotFound
from app.tenancy.api import render_workspace
from app.tenancy.workspaces import set_suspended

_reason = click.option(
    "--reason", required=True, type=TextParam(), help="Reason, shown in the audit log."
)


@destinations_group.command("inherit")
@click.argument("switch", metavar="[on|off]", type=click.Choice(["on", "off"]))
@change_options
def inherit_command(*, switch: str, options: ChangeOptions) -> None:
    """Use the parent's policy (on), or a policy of its own that starts as a copy (off)."""
    change_policy(changes.SetInheritance(switch == "on"), options)


@destinations_group.command("restore")
@click.argument("revision", type=WholeNumberParam(1, MAX_REVISION))
@change_options
def restore_command(*, revision: int, options: ChangeOptions) -> None:
    """Restore the policy of REVISION, as a new revision.

    The organization's denied destinations stay denied; expired rules are not restored.
    """
    with opened_workspace(options.workspace) as opened:
        try:
            outcome = make(opened, changes.RestoreRevision(revision), options)
        except NotFound as problem:
            raise CommandFailure(f"{opened.name} has no revision {revision}") from problem
    echo_outcome(opened, outcome)


@destinations_group.command("suspend")
@_reason
@workspace_option
@json_option
def suspend_command(*, reason: str, workspace: str | None) -> None:
    """Stop all sends of a workspace, from the next request on."""
    _set(workspace, suspended=True, reason=reason)


@destinations_group.command("resume")
@_reason
@workspace_option
@json_option
def resume_command(*, reason: str, workspace: str | None) -> None:
    """Let a suspended workspace send again."""
    _set(workspace, suspended=False, reason=reason)


def _set(workspace: str | None, *, suspended: bool, reason: str) -> None:
    with opened_workspace(workspace) as opened, opened.services.database.writing() as connection:
        change = command_change(connection, opened.now)
        row = set_suspended(change, opened.workspace_id, reason=reason, suspended=suspended)
    already = " already" if (opened.row.suspended_at is not None) == suspended else ""
    line = f"{opened.name} is not suspended{already and ', nothing to resume'}"
    if suspended:
        line = f"{opened.name} is suspended{already}: every send is refused until it is resumed"
    echo_result(render_workspace(row, Role.OWNER), [line])


for _old_name, _command in (("freeze", suspend_command), ("thaw", resume_command)):
    destinations_group.add_command(_command, name=_old_name)
