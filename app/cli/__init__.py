"""The command line: `borderpost`, and the same commands under `flask --app wsgi`."""

# ruff: noqa: E402
import gc

# Imports make many objects and no garbage: with the collector, a start takes a quarter longer.
gc.disable()

import os
import sys

import click

from app.cli.demo import demo_group, emulator_command, use_running_demo
from app.cli.destinations.change import destinations_group
from app.cli.doctor import doctor_command
from app.cli.geo import geo_group
from app.cli.group import Group
from app.cli.guards import guards_group
from app.cli.keys import keys_group
from app.cli.prices import prices_group
from app.cli.setup import apply_command, check_config_command, db_group, init_command, secrets_group
from app.cli.use_cases import use_cases_group
from app.cli.users import users_group
from app.cli.worker import (
    erase_command,
    export_command,
    purge_command,
    reconcile_command,
    worker_command,
)

COMMANDS: list[click.Command] = [
    init_command,
    check_config_command,
    db_group,
    apply_command,
    keys_group,
    users_group,
    use_cases_group,
    geo_group,
    destinations_group,
    guards_group,
    prices_group,
    emulator_command,
    worker_command,
    reconcile_command,
    purge_command,
    erase_command,
    export_command,
    secrets_group,
    doctor_command,
    demo_group,
]

borderpost = Group(
    name="borderpost",
    help="A self-hosted SMS gateway over Twilio that lets nothing cross a border it should not.",
    epilog="Exit codes: 0 done, 1 failed, 2 where a command says so, 64 wrong usage.",
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(package_name="borderpost", message="%(prog)s %(version)s")(borderpost)
gc.freeze()  # the collector leaves the loaded program out, also at the end
gc.enable()


def main() -> None:
    """Run the command line; never returns."""
    use_running_demo(next(iter(sys.argv[1:]), ""), os.environ)
    borderpost(prog_name="borderpost")
