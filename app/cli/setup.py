"""`init`, `check-config`, `apply`, `db upgrade`, `db downgrade` and `secrets rotate`."""

import os
from collections.abc import Iterator

import click
from sqlalchemy import make_url

from app.bootstrap import open_cipher, open_installation_secrets, open_settings
from app.cli.context import opened_database, ready_database, record_command
from app.cli.copying import copy_command
from app.cli.group import (
    CommandFailure,
    borderpost,
    echo_result,
    json_option,
    json_option_of,
    read_input,
)
from app.db.engine import Database
from app.db.installation import SecretsDiffer
from app.db.schema import current_revision, downgrade, losses, upgrade
from app.instance import add_encryption_key, create_instance
from app.kernel.clock import Clock, utc_now
from app.messages.retention.partitions import CreatePartitions
from app.provisioning.apply import Plan, apply, plan
from app.provisioning.file import parse_text
from app.provisioning.steps import PlannedChange
from app.settings import Settings, default_instance, load_settings
from app.tenancy.key_rotation import reencrypt

_HIDDEN = "(set, hidden)"
_DIFFERS = 2


@borderpost.command("init")
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


@borderpost.command("check-config")
@json_option_of("Print the settings as JSON.")
def check_config_command() -> None:
    """Check every setting and print them, secrets hidden.

    Exits 1 and prints every problem.
    """
    settings = load_settings()
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)
    shown = _shown(settings)
    unset = "(not set)"
    echo_result(shown, (f"{name}: {unset if v is None else v}" for name, v in shown.items()))


@borderpost.group("db")
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
    report = upgrade(database)
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
        "database_pooler": "transaction" if settings.is_database_pooled else "none",
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


@borderpost.group("secrets")
def secrets_group() -> None:
    """Encryption keys of stored secrets."""


@secrets_group.command("rotate")
@click.option("--new-key", is_flag=True, help="First put a new key before the generated ones.")
@json_option
def rotate_command(new_key: bool) -> None:
    """Re-encrypt every stored secret with the first of BORDERPOST_ENCRYPTION_KEYS.

    Use three steps, so that every process can decrypt all secrets: put the new key before the
    old one and restart everything; run this; remove the old key and restart. It can be
    interrupted and run again.

    Also makes the current BORDERPOST_SECRET_KEY the installation's: to change it, give every
    host the new one, run this, and restart.
    """
    settings = open_settings()
    if new_key:
        if not add_encryption_key(settings.instance, settings.encryption_keys):
            raise CommandFailure(
                "the keys do not come from secrets.env: put the new key first yourself"
            )
        line = "new key added: restart every process, then run `borderpost secrets rotate`"
        echo_result({"new_key": True}, [line])
        return
    with ready_database(settings) as database:
        done = reencrypt(database, open_cipher(settings))
        open_installation_secrets(settings).accept(database)
        reason = f"{done.changed} values encrypted with the first key"
        record_command(database, "secrets.rotated", reason)
    line = f"{done.changed} re-encrypted, {done.current} already use the first key"
    echo_result({"resealed": done.changed, "current": done.current}, [line])


@borderpost.command("apply")
@click.argument("file")
@click.option(
    "--plan",
    "is_plan",
    is_flag=True,
    help="Print the difference and change nothing. Exits 0 if there is none, 2 if there is some.",
)
@json_option_of("Print the result as JSON, with ids.")
def apply_command(file: str, is_plan: bool) -> None:
    """Make the database match FILE (TOML or JSON; - reads standard input).

    If there is a problem, nothing is applied. Settings that FILE leaves out are not changed.
    Prints the ids of the workspaces and use cases, and once the tokens of new access keys.
    """
    data = parse_text(read_input(file))
    settings = open_settings()
    cipher = open_cipher(settings)
    with ready_database(settings) as database:
        if is_plan:
            changes = plan(database, cipher, data, environ=os.environ, now=utc_now())
        else:
            result = apply(database, cipher, data, environ=os.environ, now=utc_now())
    if is_plan:
        echo_result({"changes": [change.as_json() for change in changes]}, _plan_lines(changes))
        click.get_current_context().exit(_DIFFERS if changes else 0)
    names = ", ".join(f"{key['name']} of {scope}" for scope, key in _new_keys(result))
    lost = f"{file} is applied, and nobody has the tokens of its new keys: revoke {names}"
    echo_result(result.document, _result_lines(result), lost if names else None)


def _plan_lines(changes: tuple[PlannedChange, ...]) -> list[str]:
    return [*map(str, changes)] or ["nothing to change"]


def _result_lines(result: Plan) -> Iterator[str]:
    yield from _plan_lines(result.changes)
    for workspace in result.document["workspaces"]:
        yield f"workspace {workspace['name']}: {workspace['id']}"
        for use_case in workspace["use_cases"]:
            yield f"  use case {use_case['name']}: {use_case['id']}"
    for scope, key in _new_keys(result):
        yield f"access key {key['name']} of {scope} (shown once): {key['token']}"


def _new_keys(result: Plan) -> Iterator[tuple[str, dict[str, str]]]:
    for scope in (result.document["organization"], *result.document["workspaces"]):
        yield from ((scope["name"], key) for key in scope["access_keys"] if key["token"])
