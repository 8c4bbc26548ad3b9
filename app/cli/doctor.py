"""`doctor`: problems of this installation, and their remedies."""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from smtplib import SMTPException
from urllib.parse import urlsplit

import click
from sqlalchemy import Connection, select

from app.access.tables import organizations, provider_accounts, workspaces
from app.bootstrap import (
    open_cipher,
    open_installation_secrets,
    open_provider,
    open_settings,
    with_public_url,
)
from app.cli.context import opened_database
from app.cli.findings import Finding, Level, bad, look_at_twilio, ok, warning
from app.cli.group import FAILED, borderpost, echo_result, json_option
from app.db.clock import ClocksDiffer, require_same_time
from app.db.encryption import Cipher, DecryptionError
from app.db.engine import Database
from app.db.heartbeats import last_beat
from app.db.installation import InstallationSecrets, SecretsDiffer
from app.db.leases import require_writable
from app.db.schema import current_revision, latest_revision, remedy_for
from app.db.unavailable import why_unavailable
from app.demo.tenant import find_demo
from app.destinations.geo_permissions.check import load_permissions_view
from app.destinations.storage.policies import load_effective
from app.guards.limits import GuardMode, GuardName
from app.guards.mail import MailAlerts
from app.guards.store import load_guards
from app.kernel.clock import Clock, utc_now
from app.kernel.errors import ServiceUnavailable
from app.kernel.mail import MailServer
from app.messages.reconciliation.refusing_accounts import RefusingAccount, load_refusing
from app.providers.port import GeoFacts
from app.settings import Settings
from app.webhooks.tables import webhook_endpoints

_HEARTBEAT_AGE = timedelta(minutes=1)
_COMPARISON_AGE = timedelta(days=2)
_FREE_BYTES = 500_000_000
_FREE_SHARE = 0.05


@borderpost.command("doctor")
@click.option("--offline", is_flag=True, help="Do not ask Twilio, and send no probe.")
@json_option
def doctor_command(offline: bool) -> None:
    """Check the whole installation, and print problems and remedies.

    Asks Twilio for its accounts and Messaging Services, and posts one signed status callback
    for an unknown message to the public URL. Changes nothing. Exits 0 if there are no problems
    or only warnings, otherwise 1.
    """
    settings = with_public_url(open_settings())
    found = [*_settings(settings), _public_url(settings), *_disks(settings)]
    with opened_database(settings) as database:
        of_database = list(_database(database, settings))
        found += of_database
        if not offline and all(one.level is not Level.BAD for one in of_database[:1]):
            found += look_at_twilio(settings, database)
        if settings.mail is not None and not offline:
            mailing = MailAlerts(database, Clock(), settings.mail, settings.public_url)
            found.append(_mail(mailing, settings.mail))
    rows = [asdict(one) | {"well": one.level is Level.OK} for one in found]
    lines = (f"{one.level.value:7}  {one.name}: {one.text}" for one in found)
    echo_result({"findings": rows}, lines)
    sys.exit(FAILED if any(one.level is Level.BAD for one in found) else 0)


def _settings(settings: Settings) -> Iterator[Finding]:
    for problem in settings.warnings:
        yield warning("settings", problem)
    if not settings.warnings:
        yield ok("settings", "are complete")


def _public_url(settings: Settings) -> Finding:
    host = urlsplit(settings.public_url).hostname or settings.public_url
    name = "public URL"
    if settings.twilio_url is None and host in {"127.0.0.1", "localhost", "::1"}:
        return bad(name, "Twilio cannot reach this machine's loopback: set BORDERPOST_PUBLIC_URL")
    return ok(name, settings.public_url)


def _mail(mailing: MailAlerts, server: MailServer) -> Finding:
    try:
        mailing.check()
    except (OSError, SMTPException) as problem:
        text = f"the SMTP server cannot be used ({type(problem).__name__}): see BORDERPOST_SMTP_URL"
        return bad("mail", text)
    text = "the SMTP server lets us in"
    if not server.alert_recipients:
        text += "; alerts are not mailed, because BORDERPOST_ALERT_EMAILS is not set"
    return ok("mail", text)


def _disks(settings: Settings) -> Iterator[Finding]:
    # The instance folder takes the place of a folder on the same disk.
    try:
        folders = [Path(tempfile.gettempdir()), settings.instance]
    except FileNotFoundError:
        folders = [settings.instance]
        yield bad("disk", "no folder for temporary files can be written: see TMPDIR")
    for folder in {folder.stat().st_dev: folder for folder in folders}.values():
        usage = shutil.disk_usage(folder)
        if usage.free < min(_FREE_BYTES, usage.total * _FREE_SHARE):
            text = f"{usage.free // 1_000_000} MB are free on the disk of {folder}: make room"
            yield bad("disk", text)
        else:
            yield ok("disk", f"{usage.free // 1_000_000_000} GB are free on the disk of {folder}")


def _database(database: Database, settings: Settings) -> Iterator[Finding]:
    wanted = latest_revision()
    try:
        found = current_revision(database)
    except ServiceUnavailable as problem:
        yield bad("database", why_unavailable(problem))
        return
    if found != wanted:
        text = f"is at revision {found or 'none'}, not {wanted}: {remedy_for(found)}"
        yield bad("database", text)
        return
    try:
        require_writable(database, utc_now())
    except ServiceUnavailable:
        yield bad("database", "cannot be written: is it a standby, or is its disk full?")
        return
    yield ok("database", f"is at revision {found}")
    yield _clock(database)
    cipher = open_cipher(settings)
    facts = open_provider(settings, cipher).geo.facts
    with database.reading() as connection:
        yield _secrets(connection, open_installation_secrets(settings))
        yield _worker(connection)
        yield _tokens(connection, cipher)
        yield from _refusing(connection)
        yield from _geo_permissions(connection, facts)
        yield from _webhooks(connection)
        yield from _spend(connection)
        yield from _demo(connection, settings.instance)


def _clock(database: Database) -> Finding:
    try:
        require_same_time(database)
    except ClocksDiffer as problem:
        return bad("clock", str(problem))
    return ok("clock", "of this host and of the database agree within a minute")


def _secrets(connection: Connection, secrets: InstallationSecrets) -> Finding:
    differing = secrets.find_differing(connection)
    if differing:
        return bad("secrets", str(SecretsDiffer(differing)))
    return ok("secrets", "are those that this database was set up with")


def _worker(connection: Connection) -> Finding:
    beat = last_beat(connection)
    if beat is None or utc_now() - beat > _HEARTBEAT_AGE:
        text = "has not reported for a minute: run `borderpost worker` next to the web processes"
        return bad("worker", text)
    return ok("worker", "is alive")


def _tokens(connection: Connection, cipher: Cipher) -> Finding:
    rows = connection.execute(select(provider_accounts)).all()
    unreadable = []
    for row in rows:
        try:
            cipher.decrypt(row.sid, row.auth_token)
        except DecryptionError:
            unreadable.append(row.sid)
    if unreadable:
        text = f"of {', '.join(unreadable)} cannot be read: see BORDERPOST_ENCRYPTION_KEYS"
        return bad("provider tokens", text)
    return ok("provider tokens", f"{len(rows)} can be read")


def _refusing(connection: Connection) -> Iterator[Finding]:
    found = load_refusing(connection).values()
    refusing = _accounts(one for one in found if not one.is_silent)
    silent = _accounts(one for one in found if one.is_silent)
    if refusing:
        text = f"our credentials are refused by {refusing}: set the account's auth token"
        yield bad("provider accounts", text)
    if silent:
        text = f"no readable answer about {silent}: check the network and Twilio's status"
        yield bad("provider answers", text)


def _accounts(found: Iterable[RefusingAccount]) -> str:
    return ", ".join(
        f"{one.account_sid} since {one.since:%Y-%m-%dT%H:%M:%SZ}"
        + ("" if one.provider_code is None else f" (Twilio answered {one.provider_code})")
        for one in found
    )


def _geo_permissions(connection: Connection, facts: GeoFacts) -> Iterator[Finding]:
    with_account = select(workspaces.c.id, workspaces.c.name).where(
        workspaces.c.account_sid.is_not(None)
    )
    now, name = utc_now(), "geo permissions"
    unknown, differing = [], []
    for row in connection.execute(with_account.order_by(workspaces.c.name)).all():
        view = load_permissions_view(connection, load_effective(connection, row.id), facts, now)
        if view.checked_at is None or now - view.checked_at > _COMPARISON_AGE:
            unknown.append(row.name)
        elif view.comparison.differs:
            differing.append(row.name)
    if unknown:
        text = f"of {', '.join(unknown)} were not compared lately: run `borderpost geo check`"
        yield warning(name, text)
    if differing:
        text = f"of {', '.join(differing)} differ from the policy: see `borderpost geo check`"
        yield warning(name, text)
    if not unknown and not differing:
        yield ok(name, "agree with the policies, as last compared")


def _webhooks(connection: Connection) -> Iterator[Finding]:
    columns = webhook_endpoints.c
    rows = connection.execute(select(columns.active, columns.first_failed_at)).all()
    states = Counter(
        "disabled" if not row.active else "failing" if row.first_failed_at else "well"
        for row in rows
    )
    if states["failing"]:
        yield warning(
            "webhooks",
            f"{states['failing']} of {len(rows)} endpoints fail: see Developer, Webhooks in the "
            "console",
        )
    elif rows:
        text = f"{states['well']} endpoints take their events, {states['disabled']} are disabled"
        yield ok("webhooks", text)


def _spend(connection: Connection) -> Iterator[Finding]:
    without = []
    for row in connection.execute(select(workspaces.c.id, workspaces.c.name)).all():
        guards = load_guards(connection, row.id).configuration.guards
        if guards.by_name[GuardName.SPEND].mode is GuardMode.OFF or not guards.has_spend_limit():
            without.append(row.name)
    if without:
        yield warning(
            "spend",
            f"{', '.join(sorted(without))} may spend without a limit: import prices and run "
            "`borderpost guards set spend --day 25.00`",
        )


def _demo(connection: Connection, instance: Path) -> Iterator[Finding]:
    demo = find_demo(connection, instance)
    rows = connection.execute(select(organizations.c.id, organizations.c.name)).all()
    names = {row.id: row.name for row in rows}
    if demo is None or len(names) == 1:
        return
    yield bad(
        "demo",
        f"its organization {names[demo]} is in the same database as yours, with a key and an "
        "owner: run `borderpost demo reset` to remove it",
    )
