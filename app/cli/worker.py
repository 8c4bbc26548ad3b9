"""`worker`, `reconcile`, `purge` and `erase`."""

import os
import signal
import socket
import threading
from datetime import timedelta

import click

from app.bootstrap import open_background, open_settings, with_public_url
from app.cli.context import progress, ready_database, record_command
from app.cli.group import (
    DURATION,
    CommandFailure,
    borderpost,
    echo_json,
    echo_result,
    json_option,
)
from app.kernel.clock import shifted, utc_now
from app.kernel.phone import PhoneNumber, problem_of_number
from app.messages.export_number import export_number
from app.messages.reconciliation.claims import make_due_now
from app.messages.reconciliation.refusing_accounts import ask_all_now
from app.messages.retention.purge import Erase
from app.web.logs import configure_logs
from app.worker.housekeeping import Heartbeat
from app.worker.loop import Progress, Task, run_tasks


@borderpost.command("worker")
def worker_command() -> None:
    """Run background tasks: reconcile with Twilio, deliver webhooks, purge, keep statistics."""
    configure_logs()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = with_public_url(open_settings())
    with ready_database(settings) as database:
        background = open_background(settings, database)
        # The host before the last colon: a worker that died is replaced by another one of its host.
        name = f"{socket.gethostname()}:{os.getpid()}"
        progress = Progress()
        heartbeat = Heartbeat(database, background.clock, name, progress.stuck_task)
        run_tasks((*background.tasks, Task("heartbeat", heartbeat.run_once, 10)), stop, progress)
        heartbeat.stop()


@borderpost.command("reconcile")
@click.option(
    "--since",
    type=DURATION,
    default="72h",
    show_default=True,
    help="Maximum age of messages.",
)
@json_option
def reconcile_command(since: timedelta) -> None:
    """Ask Twilio now about every message without a final status, and about missing prices."""
    settings = with_public_url(open_settings())
    with ready_database(settings) as database:
        background = open_background(settings, database)
        now = utc_now()
        with database.writing() as connection:
            ask_all_now(connection, now)
        wanted = make_due_now(database, shifted(now, -since), now)
        asked = 0
        with progress("asking Twilio", wanted) as note:
            while asked < wanted and (found := background.reconcile.run_once()):
                asked += found
                note(found)
        charges = background.charges.collect(shifted(now, -since))
    line = f"checked {asked} messages, read {charges} charges"
    echo_result({"asked": asked, "charges": charges}, [line])


@borderpost.command("export")
@click.option("--number", required=True, metavar="NUMBER", help="In canonical E.164 form.")
def export_command(number: str) -> None:
    """Print as JSON all stored data about a number, to answer a request of that person.

    Pseudonymised numbers are found too. The output contains texts and the number: send it over
    a secure channel.
    """
    problem = problem_of_number(number)
    if problem is not None:
        raise click.UsageError(f"--number: {problem}")
    settings = open_settings()
    with ready_database(settings) as database:
        pseudonym = open_background(settings, database).purge.messages.pseudonym(number)
        with database.reading() as connection:
            held = export_number(connection, PhoneNumber(number), pseudonym, utc_now())
        record_command(
            database, "privacy.exported", f"a number, in {len(held['messages'])} messages"
        )
    echo_json(held)


@borderpost.command("erase")
@click.argument("number")
@json_option
def erase_command(number: str) -> None:
    """Erase NUMBER (E.164): message texts and the number itself. Opt-outs are kept."""
    problem = problem_of_number(number)
    if problem is not None:
        raise click.UsageError(f"NUMBER: {problem}")
    settings = open_settings()
    with ready_database(settings) as database:
        erased = Erase(database, open_background(settings, database).purge.messages)(
            PhoneNumber(number)
        )
        record_command(database, "privacy.erased", f"a number, in {erased} messages")
    echo_result({"messages": erased}, [f"erased {erased} messages"])


@borderpost.command("purge")
@json_option
def purge_command() -> None:
    """Erase data past its retention time: texts, numbers, answers, sessions, messages."""
    settings = open_settings()
    with ready_database(settings) as database:
        purge = open_background(settings, database).purge
        purged, events = purge.messages(), purge.webhooks()
        sessions, expired = purge.sessions(), purge.expire()
        purge.guards()
        counts = f"{purged.bodies} texts, {purged.numbers} numbers, {expired.messages} messages"
        record_command(database, "privacy.purged", counts)
    found = {
        "bodies": purged.bodies,
        "numbers": purged.numbers,
        "answers": purged.answers,
        "events": events,
        "sessions": sessions,
        "messages": expired.messages,
    }
    lines = [", ".join(f"{count} {name}" for name, count in found.items()) + " erased"]
    lines += [f"dropped {partition}" for partition in expired.partitions]
    echo_result(found | {"partitions": list(expired.partitions)}, lines)
    if expired.busy:
        raise CommandFailure(*(f"{table}: in use, try again" for table in expired.busy))
