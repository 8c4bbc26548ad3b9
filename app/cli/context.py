"""The settings, the database, and the organization or workspace of a command."""

import os
import pwd
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from uuid import UUID

import click
from sqlalchemy import Connection, select

from app.access.audit import AuditedChange, AuditEvent
from app.access.principal import Actor, ActorKind
from app.access.store import find_organizations, find_workspaces
from app.access.tables import organizations
from app.bootstrap import migrate_if_new, open_database, open_settings
from app.cli.group import CommandFailure
from app.db.engine import Database
from app.db.rows import AnyRow
from app.db.schema import current_revision, latest_revision, remedy_for
from app.kernel.clock import utc_now
from app.kernel.ids import parse_id
from app.settings import Settings

_NAMELESS = "command line"
organization_option = click.option(
    "--organization",
    metavar="NAME|ID",
    help="The organization; may be left out where there is one.",
)


def opened_database(settings: Settings | None = None) -> closing[Database]:
    """Its migrations are not checked."""
    return closing(open_database(settings or open_settings()))


@contextmanager
def ready_database(settings: Settings | None = None) -> Iterator[Database]:
    """A new SQLite file is migrated; raises `CommandFailure` at another revision."""
    settings = settings or open_settings()
    with opened_database(settings) as database:
        migrate_if_new(settings, database)
        found, wanted = current_revision(database), latest_revision()
        if found != wanted:
            raise CommandFailure(
                f"the database is at revision {found or 'none'} and this program needs {wanted}: "
                + remedy_for(found)
            )
        yield database


def command_line_actor() -> Actor:
    return Actor(ActorKind.COMMAND_LINE, _login_name() or _NAMELESS)


def command_change(connection: Connection, now: datetime) -> AuditedChange:
    return AuditedChange(connection, command_line_actor(), now)


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
    """Like `record_command`, in the transaction of the change."""
    change = command_change(connection, utc_now())
    for organization_id in connection.execute(select(organizations.c.id)).scalars().all():
        change.record(AuditEvent(action, reason=reason, organization_id=organization_id))


@contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    is_seen = sys.stderr.isatty()
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=not is_seen) as bar:
        yield bar.update


def find_organization(connection: Connection, name_or_id: str | None) -> AnyRow:
    return only_one(find_organizations(connection, _key(name_or_id)), "organization", name_or_id)


def find_workspace(
    connection: Connection, name_or_id: str | None, organization_id: UUID | None = None
) -> AnyRow:
    """Without a name, the only one."""
    found = find_workspaces(connection, _key(name_or_id))
    if organization_id is not None:
        found = [row for row in found if row.organization_id == organization_id]
    return only_one(found, "workspace", name_or_id)


def _key(name_or_id: str | None) -> str | UUID | None:
    return None if name_or_id is None else parse_id(name_or_id) or name_or_id


def only_one(found: Sequence[AnyRow], kind: str, name_or_id: str | None) -> AnyRow:
    if len(found) == 1:
        return found[0]
    if name_or_id is None:
        text = f"there are several {kind}s: name one with --{kind}"
        none = f"there is no {kind} yet: make one with `borderpost apply`"
    else:
        ids = ", ".join(str(row.id) for row in found)
        text = f"several {kind}s are named {name_or_id}: give the id, one of {ids}"
        none = f"there is no {kind} {name_or_id}"
    raise CommandFailure(text if found else none)


def id_of_organization(connection: Connection, name_or_id: str | None) -> UUID | None:
    return None if name_or_id is None else find_organization(connection, name_or_id).id


def id_of_workspace(
    connection: Connection, name_or_id: str | None, organization_id: UUID | None = None
) -> UUID | None:
    if name_or_id is None:
        return None
    found: UUID = find_workspace(connection, name_or_id, organization_id).id
    return found


def linked_workspace_id(connection: Connection, name_or_id: str | None) -> UUID | None:
    """None is every workspace; one without a Twilio account is refused."""
    if name_or_id is None:
        return None
    row = find_workspace(connection, name_or_id)
    if row.account_sid is None:
        raise CommandFailure(f"workspace {row.name} has no Twilio account")
    found: UUID = row.id
    return found


def find_scope(
    connection: Connection, workspaces: Sequence[str], organization: str | None
) -> tuple[UUID, list[UUID | None]]:
    """Return the organization and its workspaces; None is the whole organization."""
    if not workspaces:
        return find_organization(connection, organization).id, [None]
    within = id_of_organization(connection, organization)
    found = [find_workspace(connection, one, within) for one in workspaces]
    if len({row.organization_id for row in found}) > 1:
        raise CommandFailure(
            "the workspaces belong to several organizations: make an account in each"
        )
    return found[0].organization_id, [row.id for row in found]
