"""`secrets`: rotate the encryption keys."""

import os

import click

from app.bootstrap import open_cipher, open_installation_secrets, open_settings
from app.cli.context import ready_database, record_command
from app.cli.group import CommandFailure, Group, echo_result, json_option
from app.db.encryption import DecryptionError
from app.instance import add_encryption_key
from app.settings import default_instance
from app.tenancy.key_rotation import reencrypt


@click.group("secrets", cls=Group)
def secrets_group() -> None:
    """Encryption keys of stored secrets."""


@secrets_group.command("rotate")
@click.option("--new-key", is_flag=True, help="First put a new key before the generated ones.")
@json_option
def rotate_command(new_key: bool, as_json: bool) -> None:
    """Re-encrypt every stored secret with the first of BORDERPOST_ENCRYPTION_KEYS.

    Use three steps, so that every process can decrypt all secrets: put the new key before the
    old one and restart everything; run this; remove the old key and restart. It can be
    interrupted and run again.

    Also makes the current BORDERPOST_SECRET_KEY the installation's: to change it, give every
    host the new one, run this, and restart.
    """
    if new_key:
        if not add_encryption_key(default_instance(os.environ)):
            raise CommandFailure(
                "the keys do not come from secrets.env: put the new key first yourself"
            )
        click.echo("new key added: restart every process, then run `borderpost secrets rotate`")
        return
    settings = open_settings()
    with ready_database(settings) as database:
        try:
            done = reencrypt(database, open_cipher(settings))
            open_installation_secrets(settings).accept(database)
        except DecryptionError as problem:
            raise CommandFailure(str(problem)) from problem
        reason = f"{done.changed} values encrypted with the first key"
        record_command(database, "secrets.rotated", reason)
    line = f"{done.changed} re-encrypted, {done.current} already use the first key"
    shown = {"resealed": done.changed, "current": done.current}
    echo_result(shown, [line], as_json=as_json)
