"""The settings and the database of a command."""

import os
import pwd
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection, select

from app.access.audit import AuditEvent, record_audit_event
from app.access.principal import Actor, ActorKind
from app.access.tables import organizations
from app.bootstrap import migrate_if_new, open_database, open_settings
from app.cli.group import CommandFailure
from app.db.engine import Database
from app.db.schema import current_revision, latest_revision
from app.kernel.clock import utc_now
from app.settings import Settings


@contextmanager
def opened_database(settings: Settings | None = None) -> Iterator[Database]:
    """Yield the database without checking its migrations, and close it."""
    database = open_database(settings or open_settings())
    try:
        yield database
    finally:
        database.close()


@contextmanager
def ready_database(settings: Settings | None = None) -> Iterator[Database]:
    """Yield the database; migrate a new SQLite file.

    Raises `CommandFailure` if migrations are missing, or of another version.
    """
    settings = settings or open_settings()
    with opened_database(settings) as database:
        migrate_if_new(settings, database)
        found, wanted = current_revision(database), latest_revision()
        if found != wanted:
            raise CommandFailure(
                f"the database is at revision {found or 'none'} and this program needs {wanted}: "
                "run `borderpost db upgrade`"
            )
        yield database


_NAMELESS = "command line"


def command_line_actor() -> Actor:
    return Actor(ActorKind.COMMAND_LINE, _login_name() or _NAMELESS)


def _login_name() -> str | None:
    # Not getpass.getuser(): it trusts environment variables.
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


def record_command(database: Database, action: str, reason: str) -> None:
    """Write an audit event in each organization; ``reason`` must contain no number."""
    with database.writing() as connection:
        record_command_in(connection, action, reason)


def record_command_in(connection: Connection, action: str, reason: str) -> None:
    """The events of `record_command`, in the transaction of the change."""
    actor, now = command_line_actor(), utc_now()
    for organization_id in connection.execute(select(organizations.c.id)).scalars().all():
        record_audit_event(
            connection, actor, AuditEvent(organization_id, None, action, None, reason), now
        )


@contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Yield a callback that advances the progress bar."""
    is_seen = sys.stderr.isatty()
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=not is_seen) as bar:
        yield bar.update
