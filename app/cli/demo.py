"""`emulator` and `demo`: the gateway with Twilio's emulator, and an attack on its guards."""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, MutableMapping
from contextlib import ExitStack, suppress
from datetime import datetime

import click
import urllib3

from app.bootstrap import open_cipher, open_provider, open_services, open_settings
from app.cli.context import opened_database, progress, ready_database
from app.cli.group import (
    CommandFailure,
    WholeNumberParam,
    borderpost,
    echo_result,
    json_option,
    read_input,
)
from app.db.engine import Database
from app.db.schema import upgrade
from app.demo.attack import (
    AttackedTenant,
    AttackReport,
    ReplayAttack,
    TraceClock,
    make_attacked_tenant,
    report_lines,
)
from app.demo.attack_trace import ALLOWED, AttackTrace, make_trace
from app.demo.processes import (
    DemoFailed,
    RunningDemo,
    find_running_demo,
    noted_demo,
    require_free_port,
    running_gateway,
    running_worker,
    write_note,
)
from app.demo.story import Story
from app.demo.tenant import DemoTenant, make_demo_tenant, remove_demo
from app.destinations.geo_permissions.store import load_check_targets
from app.emulator.scenarios import CallbackMode, Scenario
from app.emulator.server import EmulatorServer
from app.kernel.clock import Clock, utc_now
from app.kernel.whole_numbers import LARGEST_PORT, LARGEST_STORED
from app.prices.price_table import day_of
from app.prices.store import fetch_prices, import_prices, load_prices
from app.setting_sources import VARIABLE_PREFIX
from app.settings import DEFAULT_PUBLIC_URL, Settings, default_instance

_DEFAULT_PORT = 8010
_REFUSED = 400
_EMULATOR_PORT_AFTER = 10  # emulator port minus gateway port
_WITH_OWN_ADDRESSES = frozenset({"demo", "emulator", "worker"})


@borderpost.command("emulator")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=_DEFAULT_PORT,
    show_default=True,
    type=WholeNumberParam(0, LARGEST_PORT),
    help="The port; 0 takes a free one.",
)
@click.option("--scenario", metavar="JSON-FILE", help="Scenarios to begin with: docs/emulator.md.")
def emulator_command(host: str, port: int, scenario: str | None) -> None:
    """Run a Twilio emulator; it needs no account and no network."""
    order = None if scenario is None else read_input(scenario)
    try:
        with EmulatorServer(host, port) as server:
            if order is not None:
                _give(server.url, order)
            click.echo(f"Twilio emulator on {server.url}: set BORDERPOST_TWILIO_URL to it")
            with suppress(KeyboardInterrupt):
                _wait()
    except OSError as problem:
        raise CommandFailure(
            f"cannot listen on {host} port {port}: {problem.strerror}"
        ) from problem


def _wait() -> None:
    threading.Event().wait()


def _give(url: str, order: bytes) -> None:
    answer = urllib3.request("POST", f"{url}/emulator/scenarios", body=order, timeout=5)
    if answer.status >= _REFUSED:
        raise CommandFailure(f"the scenarios are refused: {answer.data.decode().strip()}")


@borderpost.group("demo", invoke_without_command=True)
@click.option("--port", default=8000, show_default=True, type=WholeNumberParam(1, LARGEST_PORT))
@click.pass_context
def demo_group(context: click.Context, port: int) -> None:
    """Start the demo: the Twilio emulator, the gateway, one message to delivered, one blocked send.

    Missing files of the instance folder are created, others are kept. Ctrl-C stops everything.
    """
    if context.invoked_subcommand is None:
        _run(port)


@demo_group.command("attack")
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=WholeNumberParam(0, LARGEST_STORED),
    help="The same seed makes the same trace.",
)
@json_option
def attack_command(*, seed: int) -> None:
    """Replay a pumping attack against the emulator, and show the messages that guards stopped.

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
    echo_result(report.as_json(), report_lines(report))


def silence(server: EmulatorServer) -> None:
    """Make the emulator send no callbacks, as no gateway receives them."""
    server.emulator.scenarios.set_default(Scenario(callbacks=CallbackMode.LOST))


def play_attack(
    settings: Settings, database: Database, trace: AttackTrace, advance: Callable[[int], object]
) -> AttackReport:
    """Create a tenant with the emulator's prices, and replay a trace."""
    cipher = open_cipher(settings)
    clock = TraceClock(trace.sends[0].at)
    tenant = make_attacked_tenant(database, cipher, clock())
    _take_prices(settings, database, tenant, clock())
    with database.reading() as connection:
        prices = load_prices(connection)
    services = open_services(settings, clock=Clock(clock), cipher=cipher, database=database)
    replay = ReplayAttack(database, services.send, services.guards, tenant, prices, clock)
    return replay(trace, advance)


def _take_prices(
    settings: Settings, database: Database, tenant: AttackedTenant, now: datetime
) -> None:
    source = open_provider(settings, open_cipher(settings)).prices
    with database.reading() as connection:
        (asked,) = load_check_targets(connection, tenant.workspace_id)
    found = fetch_prices(source, dict.fromkeys(ALLOWED, asked.account), day_of(now))
    with database.writing() as connection:
        import_prices(connection, found.file, now)


@demo_group.command("reset")
def reset_command() -> None:
    """Remove the demo's organization with its messages, keys and users.

    Other organizations stay. The next `demo` creates a new one.
    """
    settings = open_settings()
    if find_running_demo(settings.instance) is not None:
        raise CommandFailure("the demo is running: stop it first (Ctrl-C in its terminal)")
    with ready_database(settings) as database:
        deleted = remove_demo(database, settings.instance)
    if not deleted:
        click.echo("there is no demo to remove")
    else:
        click.echo(f"removed the demo's organization: {sum(deleted.values())} rows")


def use_running_demo(command: str, environ: MutableMapping[str, str]) -> None:
    """Use the addresses of a running demo, unless some are set."""
    names = ("TWILIO_URL", "PUBLIC_URL")
    if command in _WITH_OWN_ADDRESSES or any(environ.get(VARIABLE_PREFIX + name) for name in names):
        return
    demo = find_running_demo(default_instance(environ))
    if demo is None or demo.twilio_url is None:
        return
    environ[VARIABLE_PREFIX + "TWILIO_URL"] = demo.twilio_url
    environ[VARIABLE_PREFIX + "PUBLIC_URL"] = demo.public_url
    note = f"note: the demo is running, so Twilio is its emulator at {demo.twilio_url}"
    print(note, file=sys.stderr)


def _run(port: int) -> None:
    settings = open_settings()
    with ExitStack() as stack:
        note = stack.enter_context(noted_demo(settings.instance))
        require_free_port(port)
        tenant = _prepare(settings)
        stopped = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stopped.set())
        public_url, twilio_url = settings.public_url, settings.twilio_url
        if public_url == DEFAULT_PUBLIC_URL:
            public_url = f"http://127.0.0.1:{port}"
        if twilio_url is None:
            twilio_url = stack.enter_context(_emulator(port)).url
            click.echo(f"Twilio emulator   {twilio_url}  (nothing leaves this machine)")
        environ = {
            VARIABLE_PREFIX + "PUBLIC_URL": public_url,
            VARIABLE_PREFIX + "TWILIO_URL": twilio_url,
        }
        log = settings.instance / "gateway.log"
        url = stack.enter_context(running_gateway(port, environ, log))
        stack.enter_context(running_worker(environ, settings.instance / "worker.log"))
        click.echo(f"Gateway           {url}  (log: {os.path.relpath(log)})")
        is_emulated = settings.twilio_url is None
        write_note(note, RunningDemo(public_url, twilio_url if is_emulated else None))
        number = Story(url, tenant, click.echo)()
        click.echo(_try_it(url, tenant, number))
        stopped.wait()
        click.echo("\nstopping")


def _emulator(port: int) -> EmulatorServer:
    """Use the usual port, or a free one if that is in use."""
    usual = port + _EMULATOR_PORT_AFTER
    if usual > LARGEST_PORT:
        usual = port - _EMULATOR_PORT_AFTER
    try:
        require_free_port(usual)
    except DemoFailed:
        usual = 0
    return EmulatorServer(port=usual)


def _prepare(settings: Settings) -> DemoTenant:
    with opened_database(settings) as database:
        for line in upgrade(database):
            click.echo(line)
        return make_demo_tenant(database, open_cipher(settings), settings.instance)


def _try_it(url: str, tenant: DemoTenant, number: str) -> str:
    return f"""
Console           {url}/console
  sign in with    {tenant.email}  {tenant.password}
API reference     {url}/docs
Workspace         {tenant.workspace_id}
Access key        {tenant.access_key}  (role admin)

Try it in another terminal:
  export BORDERPOST={url}
  export KEY={tenant.access_key}
  export WORKSPACE={tenant.workspace_id}
  export USE_CASE={tenant.use_case_id}
  curl -s {url}/v1/sms -H "Authorization: AccessKey $KEY" -H 'Content-Type: application/json' \\
    -d '{{"use_case_id": "'$USE_CASE'", "to_phone_number": "{number}", "message": "Hello"}}'
  .venv/bin/borderpost destinations list
  .venv/bin/borderpost guards list
  .venv/bin/borderpost demo attack

Serving. Ctrl-C stops everything.
"""
