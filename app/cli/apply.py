"""`apply`: make the database match a file, or print the difference."""

import os

import click

from app.bootstrap import open_cipher, open_settings
from app.cli.context import ready_database
from app.cli.group import Command, echo_json
from app.cli.input import read_input
from app.kernel.clock import utc_now
from app.provisioning.apply import Result, apply, plan
from app.provisioning.file import parse_text
from app.provisioning.steps import PlannedChange

_DIFFERS = 2


@click.command("apply", cls=Command)
@click.argument("file")
@click.option(
    "--plan",
    "is_plan",
    is_flag=True,
    help="Print the difference and change nothing. Exits 0 if there is none, 2 if there is some.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, with ids.")
def apply_command(file: str, is_plan: bool, as_json: bool) -> None:
    """Make the database match FILE (TOML or JSON; - reads standard input).

    If there is a problem, nothing is applied. Settings that FILE leaves out are not changed.
    Prints the ids of the workspaces and use cases, and once the tokens of new access keys.
    """
    data = parse_text(read_input(file))
    settings = open_settings()
    cipher = open_cipher(settings)
    with ready_database(settings) as database:
        if is_plan:
            changes = plan(database, cipher, data, environ=os.environ, now=utc_now())
        else:
            result = apply(database, cipher, data, environ=os.environ, now=utc_now())
    if is_plan:
        _echo_plan(changes, as_json=as_json)
        click.get_current_context().exit(_DIFFERS if changes else 0)
    if as_json:
        echo_json(result.as_json())
    else:
        _echo_result(result)


def _echo_plan(changes: tuple[PlannedChange, ...], *, as_json: bool) -> None:
    if as_json:
        echo_json({"changes": [change.as_json() for change in changes]})
        return
    for change in changes:
        click.echo(str(change))
    if not changes:
        click.echo("nothing to change")


def _echo_result(result: Result) -> None:
    _echo_plan(result.changes, as_json=False)
    for workspace in result.as_json()["workspaces"]:
        click.echo(f"workspace {workspace['name']}: {workspace['id']}")
        for use_case in workspace["use_cases"]:
            click.echo(f"  use case {use_case['name']}: {use_case['id']}")
    for scope, name, token in result.new_tokens():
        click.echo(f"access key {name} of {scope} (shown once): {token}")
