"""`destinations`: the policy of a workspace."""

import click

from app.cli.destinations.countries import allow_command, block_command
from app.cli.destinations.files import diff_command, export_command, import_command, set_command
from app.cli.destinations.inheritance import inherit_command, restore_command
from app.cli.destinations.numbers import check_command, refusals_command
from app.cli.destinations.rules import rule_group
from app.cli.destinations.show import history_command, list_command
from app.cli.destinations.suspension import resume_command, suspend_command
from app.cli.group import Group


@click.group("destinations", cls=Group)
def destinations_group() -> None:
    """Which countries and numbers a workspace may reach."""


for _command in (
    list_command,
    check_command,
    refusals_command,
    history_command,
    allow_command,
    block_command,
    rule_group,
    set_command,
    diff_command,
    export_command,
    import_command,
    restore_command,
    inherit_command,
    suspend_command,
    resume_command,
):
    destinations_group.add_command(_command)

for _old_name, _command in (("freeze", suspend_command), ("thaw", resume_command)):
    destinations_group.add_command(_command, name=_old_name)
