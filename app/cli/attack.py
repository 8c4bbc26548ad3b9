"""`demo attack`: a pumping attack against the guards, with the Twilio emulator."""

import tempfile
from collections.abc import Callable
from datetime import datetime

import click

from app.bootstrap import open_cipher, open_provider, open_services, open_settings
from app.cli.context import ready_database
from app.cli.group import Command, echo_json
from app.cli.input import WholeNumberParam
from app.cli.progress import progress
from app.db.engine import Database
from app.demo.attack import (
    AttackedTenant,
    AttackReport,
    ReplayAttack,
    TraceClock,
    make_attacked_tenant,
    report_lines,
)
from app.demo.attack_trace import ALLOWED, Trace, make_trace
from app.destinations.geo_permissions.store import load_check_targets
from app.emulator.scenarios import CallbackMode, Scenario
from app.emulator.server import EmulatorServer
from app.kernel.clock import Clock, utc_now
from app.kernel.whole_numbers import LARGEST_STORED
from app.prices.price_file import PriceFile
from app.prices.price_table import day_of
from app.prices.refresh import fetch_prices
from app.prices.store import import_prices, load_price_table
from app.settings import VARIABLE_PREFIX, Settings


@click.command("attack", cls=Command)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=WholeNumberParam(0, LARGEST_STORED),
    help="The same seed makes the same trace.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def attack_command(*, seed: int, as_json: bool) -> None:
    """Replay a pumping attack against the emulator, and show what the guards stopped.

    2000 messages to 40 number ranges in 2 countries within 15 minutes, through a leaked key,
    among normal traffic. The guards are those that `guards suggest --apply` sets after two
    weeks of normal traffic. Uses a temporary database.
    """
    trace = make_trace(seed, utc_now())
    with (
        tempfile.TemporaryDirectory(prefix="borderpost-attack-") as folder,
        EmulatorServer() as server,
    ):
        silence(server)
        settings = open_settings(
            {f"{VARIABLE_PREFIX}INSTANCE": folder, f"{VARIABLE_PREFIX}TWILIO_URL": server.url}
        )
        with (
            ready_database(settings) as database,
            progress("replaying the attack", len(trace.sends)) as advance,
        ):
            report = play_attack(settings, database, trace, advance)
    if as_json:
        echo_json(report.as_json())
        return
    for line in report_lines(report):
        click.echo(line)


def silence(server: EmulatorServer) -> None:
    """Make the emulator send no callbacks, as no gateway receives them."""
    server.emulator.scenarios.set_default(Scenario(callbacks=CallbackMode.LOST))


def play_attack(
    settings: Settings, database: Database, trace: Trace, advance: Callable[[int], object]
) -> AttackReport:
    """Create a tenant with the emulator's prices, and replay a trace."""
    cipher = open_cipher(settings)
    clock = TraceClock(trace.sends[0].at)
    tenant = make_attacked_tenant(database, cipher, clock())
    _take_prices(settings, database, tenant, clock())
    with database.reading() as connection:
        prices = load_price_table(connection)
    services = open_services(settings, clock=Clock(clock), cipher=cipher, database=database)
    replay = ReplayAttack(database, services.send, services.guards, tenant, prices, clock)
    return replay(trace, advance)


def _take_prices(
    settings: Settings, database: Database, tenant: AttackedTenant, now: datetime
) -> None:
    source = open_provider(settings, open_cipher(settings)).prices
    with database.reading() as connection:
        (asked,) = load_check_targets(connection, tenant.workspace_id)
    wanted = dict.fromkeys(ALLOWED, asked.account)
    found = fetch_prices(source, wanted, day_of(now))
    with database.writing() as connection:
        import_prices(connection, PriceFile(tuple(enumerate(found.rows, start=1)), ()), now)
