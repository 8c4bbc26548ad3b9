"""Memberships of a user: validation and text."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection

from app.access.roles import Role
from app.kernel.problems import Problems
from app.people.store import load_workspace_names

PATH = "$.roles"
NOWHERE = "Must belong to a workspace or to the organization."
ABSENT = "There is no such workspace."


def check_roles(
    connection: Connection,
    organization_id: UUID,
    roles: Mapping[UUID | None, Role],
    problems: Problems,
) -> str:
    """Add the problems of roles by workspace; return the roles as text for the audit."""
    wanted = [workspace_id for workspace_id in roles if workspace_id is not None]
    names = load_workspace_names(connection, organization_id, wanted) if wanted else {}
    if not roles:
        problems.add(PATH, NOWHERE)
    if len(names) < len(wanted):
        problems.add(PATH, ABSENT)
    return roles_in_words(roles, names)


def roles_in_words(roles: Mapping[UUID | None, Role], names: Mapping[UUID, str]) -> str:
    """Return roles as text, the organization's first."""
    held = {where: role for where, role in roles.items() if where is not None and where in names}
    said = [f"{role} in {names[where]}" for where, role in held.items()]
    everywhere = roles.get(None)
    first = [] if everywhere is None else [f"{everywhere} in every workspace"]
    return ", ".join(first + sorted(said))
