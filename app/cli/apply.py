"""`apply`: make the database match a file, or print the difference."""

import os
from collections.abc import Iterator

import click

from app.bootstrap import open_cipher, open_settings
from app.cli.context import ready_database
from app.cli.group import Command, echo_result
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
        shown = {"changes": [change.as_json() for change in changes]}
        echo_result(shown, _plan_lines(changes), as_json=as_json)
        click.get_current_context().exit(_DIFFERS if changes else 0)
    echo_result(result.document, _result_lines(result), as_json=as_json)


def _plan_lines(changes: tuple[PlannedChange, ...]) -> list[str]:
    return [*map(str, changes)] or ["nothing to change"]


def _result_lines(result: Result) -> Iterator[str]:
    yield from _plan_lines(result.changes)
    for workspace in result.document["workspaces"]:
        yield f"workspace {workspace['name']}: {workspace['id']}"
        for use_case in workspace["use_cases"]:
            yield f"  use case {use_case['name']}: {use_case['id']}"
    for scope, name, token in result.new_tokens():
        yield f"access key {name} of {scope} (shown once): {token}"
