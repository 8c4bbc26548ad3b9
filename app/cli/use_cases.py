"""`use-cases`: registrations at the provider."""

import sys
from dataclasses import asdict

import click

from app.bootstrap import open_cipher, open_provider, open_settings
from app.cli.context import command_line_actor, id_of_workspace, ready_database
from app.cli.group import FAILED, borderpost, echo_result, json_option
from app.kernel.clock import Clock
from app.use_cases.refresh import RefreshedUseCase, RefreshRegistrations


@borderpost.group("use-cases")
def use_cases_group() -> None:
    """Use cases and their registrations at the provider."""


@use_cases_group.command("refresh")
@click.option("--workspace", metavar="NAME|ID", help="Only this workspace's.")
@json_option
def refresh_command(workspace: str | None) -> None:
    """Read brand and campaign states from Twilio; exits 1 if it could not be asked."""
    settings = open_settings()
    provider = open_provider(settings, open_cipher(settings))
    with ready_database(settings) as database:
        with database.reading() as connection:
            workspace_id = id_of_workspace(connection, workspace)
        refresh = RefreshRegistrations(database, provider.registrations, Clock())
        found = refresh(command_line_actor(), workspace_id)
    shown = {"use_cases": [_rendered(one) for one in found]}
    echo_result(shown, [_line(one) for one in found] or ["no use case has a brand or a campaign"])
    sys.exit(FAILED if any(one.problem for one in found) else 0)


def _rendered(one: RefreshedUseCase) -> dict[str, object]:
    found = asdict(one)
    return {"id": str(found.pop("use_case_id")), **found}


def _line(one: RefreshedUseCase) -> str:
    mark = "~" if one.changed else "="
    states = f"brand {one.brand_status or '-'}, campaign {one.campaign_status or '-'}"
    problem = f" (not refreshed: {one.problem})" if one.problem else ""
    return f"{mark} {one.name}: {states}{problem}"
