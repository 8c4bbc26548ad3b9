"""`init`, `check-config`, `db upgrade` and `db downgrade`."""

import os

import click
from sqlalchemy import make_url

from app.bootstrap import open_installation_secrets
from app.cli.context import opened_database
from app.cli.copying import copy_command
from app.cli.group import Command, CommandFailure, Group, echo_json
from app.db.engine import Database
from app.db.installation import SecretsDiffer
from app.db.schema import UnknownRevision, current_revision, downgrade, losses, upgrade
from app.instance import create_instance
from app.kernel.clock import Clock
from app.messages.retention.partitions import CreatePartitions
from app.settings import Settings, default_instance, load_settings

_HIDDEN = "(set, hidden)"


@click.command("init", cls=Command)
def init_command() -> None:
    """Create the instance folder with its secrets, and the database.

    Existing files are not changed.
    """
    instance = default_instance(os.environ)
    made = create_instance(instance)
    state = "generated" if made else "exist already, not changed"
    click.echo(f"instance folder: {instance}")
    click.echo(f"secrets:         {state}")
    settings = load_settings(os.environ, instance)
    with opened_database(settings) as database:
        click.echo(f"database:        {_upgraded(database)}")
        with database.reading() as connection:
            differing = open_installation_secrets(settings).find_differing(connection)
    if differing:  # no failure: they may be changed on purpose
        click.echo(f"warning: secrets: {SecretsDiffer(differing)}", err=True)


@click.command("check-config", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print the settings as JSON.")
def check_config_command(as_json: bool) -> None:
    """Check every setting and print them, secrets hidden.

    Exits 1 and prints every problem.
    """
    settings = load_settings()
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)
    shown = _shown(settings)
    if as_json:
        echo_json(shown)
        return
    for name, value in shown.items():
        click.echo(f"{name}: {'(not set)' if value is None else value}")


@click.group("db", cls=Group)
def db_group() -> None:
    """The database and its migrations."""


@db_group.command("upgrade")
def upgrade_command() -> None:
    """Run the missing migrations."""
    with opened_database() as database:
        click.echo(f"database: {_upgraded(database)}")


@db_group.command("downgrade")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Accept the losses that the command names.")
def downgrade_command(revision: str, yes: bool) -> None:
    """Go back to the tables of an older version, before that version is installed.

    Stop every gateway and worker first. REVISION is the number of that version's last migration.
    """
    with opened_database() as database:
        before = current_revision(database) or "none"
        try:
            lost = losses(before, revision)
        except LookupError as problem:
            raise CommandFailure(
                f"REVISION: {revision} is no revision before {before}, at which the database is"
            ) from problem
        if lost and not yes:
            raise CommandFailure(
                *lost, "nothing was changed; back up first, then accept these losses with --yes"
            )
        downgrade(database, revision)
        click.echo(f"database: downgraded from {before} to {revision}")


db_group.add_command(copy_command)


def _upgraded(database: Database) -> str:
    before = current_revision(database)
    try:
        report = upgrade(database)
    except UnknownRevision as problem:
        raise CommandFailure(
            f"the database is at revision {before}, which this program does not know: "
            "was it upgraded by a newer version?"
        ) from problem
    CreatePartitions(database, Clock())()
    after = current_revision(database)
    if before == after:
        return f"at revision {after} already"
    return "\n".join([f"upgraded from {before or 'none'} to {after}", *report])


def _shown(settings: Settings) -> dict[str, object]:
    url = make_url(settings.database_url)
    hidden = {name: "hidden" for name in ("password", "sslpassword") if name in url.query}
    url = url.update_query_dict(hidden)
    provider, mail = settings.identity_provider, settings.mail
    return {
        "instance": str(settings.instance),
        "database_url": url.render_as_string(hide_password=True),
        "public_url": settings.public_url,
        "twilio_url": settings.twilio_url,
        "secret_key": _HIDDEN,
        "encryption_keys": f"{len(settings.encryption_keys)} {_HIDDEN}",
        "metrics_token": _HIDDEN if settings.metrics_token else None,
        "bind": settings.bind,
        "processes": settings.processes,
        "threads": settings.threads,
        "webhook_allow_loopback": settings.webhook_allow_loopback,
        "oidc_issuer": None if provider is None else provider.issuer,
        "oidc_client_id": None if provider is None else provider.client_id,
        "oidc_client_secret": None if provider is None else _HIDDEN,
        "smtp_server": None if mail is None else f"{mail.host}:{mail.port}",
        "smtp_from": None if mail is None else mail.sender,
        "alert_emails": None if mail is None else ", ".join(mail.alert_recipients) or None,
        "message_retention_days": settings.message_retention_days,
    }
