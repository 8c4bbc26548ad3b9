"""Look-up of organizations and workspaces by name or id.

Raises `CommandFailure` if there is none, or several.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection

from app.access.store import find_organizations, find_workspaces
from app.cli.group import CommandFailure
from app.db.rows import AnyRow
from app.kernel.ids import parse_id


def find_organization(connection: Connection, name_or_id: str | None) -> AnyRow:
    given = None if name_or_id is None else parse_id(name_or_id) or name_or_id
    found = find_organizations(connection, given)
    if len(found) > 1:
        raise CommandFailure("there are several organizations: name one with --organization")
    if not found and name_or_id is None:
        raise CommandFailure("there is no organization yet: make one with `borderpost apply`")
    return only_one(found, "organization", name_or_id or "")


def find_workspace(connection: Connection, name_or_id: str, organization_id: UUID | None) -> AnyRow:
    found = find_workspaces(connection, parse_id(name_or_id) or name_or_id)
    if organization_id is not None:
        found = [row for row in found if row.organization_id == organization_id]
    return only_one(found, "workspace", name_or_id)


def linked_workspace_id(connection: Connection, name_or_id: str | None) -> UUID | None:
    """Return None, which is every workspace, for None; refuse one without a Twilio account."""
    if name_or_id is None:
        return None
    row = find_workspace(connection, name_or_id, None)
    if row.account_sid is None:
        raise CommandFailure(f"workspace {row.name} has no Twilio account")
    found: UUID = row.id
    return found


def find_workspace_or_only(connection: Connection, name_or_id: str | None) -> AnyRow:
    if name_or_id is not None:
        return find_workspace(connection, name_or_id, None)
    found = find_workspaces(connection, None)
    if len(found) > 1:
        raise CommandFailure("there are several workspaces: name one with --workspace")
    if not found:
        raise CommandFailure("there is no workspace yet: make one with `borderpost apply`")
    return found[0]


def only_one(found: Sequence[AnyRow], kind: str, name_or_id: str) -> AnyRow:
    if not found:
        raise CommandFailure(f"there is no {kind} {name_or_id}")
    if len(found) > 1:
        ids = ", ".join(str(row.id) for row in found)
        raise CommandFailure(f"several {kind}s are named {name_or_id}: give the id, one of {ids}")
    return found[0]
