"""`run`: the demo. Nothing leaves this machine unless a Twilio URL is set."""

import os
import signal
import threading
from contextlib import ExitStack

import click

from app.bootstrap import open_database, open_settings, open_vault
from app.cli.group import Command, Failure
from app.cli.input import WholeNumber
from app.db.schema import upgrade
from app.demo.processes import DemoFailed, require_free_port, running_gateway, running_worker
from app.demo.story import ALLOWED_NUMBER, Story
from app.demo.tenant import DemoTenant, make_demo_tenant
from app.emulator.server import EmulatorServer
from app.kernel.whole_numbers import LARGEST_PORT
from app.settings import DEFAULT_PUBLIC_URL, Settings


@click.command("run", cls=Command)
@click.option("--port", default=8000, show_default=True, type=WholeNumber(1, LARGEST_PORT))
def run_command(port: int) -> None:
    """Start the demo: the Twilio emulator, the gateway, one message to delivered, one blocked send.

    Creates what is missing in the instance folder and reuses the rest. Ctrl-C stops everything.
    """
    try:
        require_free_port(port)
        _run(port)
    except DemoFailed as problem:
        raise Failure(str(problem)) from problem


def _run(port: int) -> None:
    settings = open_settings()
    tenant = _prepare(settings)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        environ = {}
        if settings.public_url == DEFAULT_PUBLIC_URL:
            environ["BORDERPOST_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
        if settings.twilio_url is None:
            emulator = stack.enter_context(EmulatorServer())
            environ["BORDERPOST_TWILIO_URL"] = emulator.url
            click.echo(f"Twilio emulator   {emulator.url}  (nothing leaves this machine)")
        log = settings.instance / "gateway.log"
        url = stack.enter_context(running_gateway(port, environ, log))
        stack.enter_context(running_worker(environ, settings.instance / "worker.log"))
        click.echo(f"Gateway           {url}  (log: {os.path.relpath(log)})")
        Story(url, tenant, click.echo)()
        click.echo(_try_it(url, tenant))
        stopped.wait()
        click.echo("\nstopping")


def _prepare(settings: Settings) -> DemoTenant:
    database = open_database(settings)
    try:
        for line in upgrade(database):
            click.echo(line)
        return make_demo_tenant(database, open_vault(settings), settings.instance)
    finally:
        database.close()


def _try_it(url: str, tenant: DemoTenant) -> str:
    body = (
        f'{{"use_case_id": "{tenant.use_case_id}", "to_phone_number": "{ALLOWED_NUMBER}", '
        '"message": "Hello"}'
    )
    return (
        f"\nConsole           {url}/console\n"
        f"  sign in with    {tenant.email}  {tenant.password}\n"
        f"Access key        {tenant.access_key}  (role admin)\n"
        f"API reference     {url}/docs\n\n"
        "Try it:\n"
        f"  curl -s {url}/v1/sms -H 'Authorization: AccessKey {tenant.access_key}' \\\n"
        f"    -H 'Content-Type: application/json' -d '{body}'\n\n"
        "Serving. Ctrl-C stops everything."
    )
