"""`doctor`: problems of this installation, and their remedies."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import click
from sqlalchemy import select

from app.access.tables import organizations, provider_accounts
from app.bootstrap import open_installation_secrets, open_settings, open_vault
from app.cli.group import FAILED, Command, echo_json
from app.cli.opening import opened_database
from app.db.clock import ClocksDiffer, require_same_time
from app.db.engine import Database
from app.db.heartbeats import last_beat
from app.db.installation import InstallationSecrets, SecretsDiffer
from app.db.schema import current_revision, latest_revision
from app.db.vault import SealBroken, Vault
from app.demo.reset import find_demo
from app.kernel.clock import utc_now
from app.kernel.errors import ServiceUnavailable
from app.messages.refusing_accounts import load_refusing
from app.settings import Settings

_HEARTBEAT_AGE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check; a remedy if it failed."""

    name: str
    is_well: bool
    text: str


@click.command("doctor", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor_command(as_json: bool) -> None:
    """Look at settings, database, secrets and worker; exits 1 if anything is not well."""
    settings = open_settings()
    found = [Finding("settings", True, "are complete"), _public_url(settings)]
    with opened_database(settings) as database:
        secrets = open_installation_secrets(settings)
        found += _database(database, open_vault(settings), secrets, settings.instance)
    if as_json:
        echo_json(
            {"findings": [{"name": f.name, "well": f.is_well, "text": f.text} for f in found]}
        )
    else:
        for one in found:
            click.echo(f"{'ok ' if one.is_well else 'bad'}  {one.name}: {one.text}")
    sys.exit(0 if all(one.is_well for one in found) else FAILED)


def _public_url(settings: Settings) -> Finding:
    host = urlsplit(settings.public_url).hostname or settings.public_url
    name = "public URL"
    if settings.twilio_url is None and host in {"127.0.0.1", "localhost", "::1"}:
        text = "Twilio cannot reach this machine's loopback: set BORDERPOST_PUBLIC_URL"
        return Finding(name, False, text)
    return Finding(name, True, settings.public_url)


def _database(
    database: Database, vault: Vault, secrets: InstallationSecrets, instance: Path
) -> Iterator[Finding]:
    wanted = latest_revision()
    try:
        found = current_revision(database)
    except ServiceUnavailable:
        yield Finding("database", False, "cannot be reached: see BORDERPOST_DATABASE_URL")
        return
    if found != wanted:
        text = f"is at revision {found or 'none'}, not {wanted}: run `borderpost db upgrade`"
        yield Finding("database", False, text)
        return
    yield Finding("database", True, f"is at revision {found}")
    yield _clock(database)
    yield _secrets(database, secrets)
    yield _worker(database)
    yield _tokens(database, vault)
    yield from _refusing(database)
    yield from _demo(database, instance)


def _clock(database: Database) -> Finding:
    try:
        require_same_time(database)
    except ClocksDiffer as problem:
        return Finding("clock", False, str(problem))
    return Finding("clock", True, "of this host and of the database agree within a minute")


def _secrets(database: Database, secrets: InstallationSecrets) -> Finding:
    with database.reading() as connection:
        differing = secrets.find_differing(connection)
    if differing:
        return Finding("secrets", False, str(SecretsDiffer(differing)))
    return Finding("secrets", True, "are those that this database was set up with")


def _worker(database: Database) -> Finding:
    with database.reading() as connection:
        beat = last_beat(connection)
    if beat is None or utc_now() - beat > _HEARTBEAT_AGE:
        text = "was not heard of for a minute: run `borderpost worker` beside the web processes"
        return Finding("worker", False, text)
    return Finding("worker", True, "is alive")


def _tokens(database: Database, vault: Vault) -> Finding:
    with database.reading() as connection:
        rows = connection.execute(select(provider_accounts)).all()
    unreadable = []
    for row in rows:
        try:
            vault.open(row.sid, row.auth_token)
        except SealBroken:
            unreadable.append(row.sid)
    if unreadable:
        text = f"of {', '.join(unreadable)} cannot be read: see BORDERPOST_ENCRYPTION_KEYS"
        return Finding("provider tokens", False, text)
    return Finding("provider tokens", True, f"{len(rows)} can be read")


def _refusing(database: Database) -> Iterator[Finding]:
    with database.reading() as connection:
        found = load_refusing(connection).values()
    if not found:
        return
    names = {
        is_silent: ", ".join(
            f"{one.account_sid} since {one.since:%Y-%m-%dT%H:%M:%SZ}"
            + ("" if one.provider_code is None else f" (Twilio answered {one.provider_code})")
            for one in found
            if one.is_silent is is_silent
        )
        for is_silent in (False, True)
    }
    if names[False]:
        text = f"our credentials are refused by {names[False]}: set the account's auth token"
        yield Finding("provider accounts", False, text)
    if names[True]:
        text = f"no readable answer about {names[True]}: check the network and Twilio's status"
        yield Finding("provider answers", False, text)


def _demo(database: Database, instance: Path) -> Iterator[Finding]:
    with database.reading() as connection:
        demo = find_demo(connection, instance)
        names = dict(connection.execute(select(organizations.c.id, organizations.c.name)).all())
    if demo is None or len(names) == 1:
        return
    text = (
        f"its organization {names[demo]} is in the same database as yours, with a key and an "
        "owner: run `borderpost demo reset` to remove it"
    )
    yield Finding("demo", False, text)
