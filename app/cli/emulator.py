"""`emulator`: a Twilio emulator, until it is interrupted."""

import threading
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import click

from app.cli.group import Command, CommandFailure
from app.cli.input import WholeNumberParam
from app.kernel.whole_numbers import LARGEST_PORT

_DEFAULT_PORT = 8010
_TIMEOUT_SECONDS = 5


@click.command("emulator", cls=Command)
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
    """Play Twilio for the gateway: no account and no network needed."""
    # Imported here so that the other commands start without loading it.
    from app.emulator.server import EmulatorServer  # noqa: PLC0415

    order = None if scenario is None else _read(scenario)
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


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as problem:
        raise CommandFailure(f"{file}: cannot be read: {problem.strerror}") from problem


def _give(url: str, order: bytes) -> None:
    request = Request(f"{url}/emulator/scenarios", data=order, method="POST")  # noqa: S310
    try:
        build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT_SECONDS).close()
    except HTTPError as problem:
        with problem:
            answer = problem.read().decode()
        raise CommandFailure(f"the scenarios are refused: {answer.strip()}") from problem
