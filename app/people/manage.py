"""Creating users and changing their roles, each with its audit event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.actor import Actor
from app.access.audit import Deed, note_deed
from app.access.key_rules import mistake_in_lasting_access
from app.access.key_store import is_limited, load_end_of
from app.access.roles import Role
from app.access.scope import lock_organization
from app.db.rows import AnyRow
from app.kernel.ids import new_id
from app.kernel.names import mistake_in_name
from app.kernel.problems import Problems
from app.people.belonging import PATH, check_roles
from app.people.deeds import note_user_deed
from app.people.email import mistake_in_email, normal_email
from app.people.passwords import NewPassword
from app.people.safeguards import LAST_OWNER, is_last_owner
from app.people.store import (
    find_users,
    insert_user,
    load_owners,
    replace_memberships,
)


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to create; ``roles`` by workspace, None stands for the organization.

    Without a password the user signs in at the identity provider only.
    """

    organization_id: UUID
    email: str
    name: str
    roles: Mapping[UUID | None, Role]
    password: NewPassword | None


def create_user(connection: Connection, new: NewUser, actor: Actor, now: datetime) -> UUID:
    """Make a person's account.

    Raises:
        ValidationFailed: the address or the name is wrong, the address taken, the password too
            weak, no role given, one in a workspace that is not there, or the actor is a key that
            expires; every problem at once.
    """
    lock_organization(connection, new.organization_id)
    said = _check(connection, new, actor)
    user_id = new_id()
    values = {
        "organization_id": new.organization_id,
        "email": normal_email(new.email),
        "name": new.name,
        "password_hash": None if new.password is None else new.password.hash,
        "created_at": now,
        "updated_at": now,
    }
    insert_user(connection, user_id, values)
    replace_memberships(connection, user_id, new.roles)
    deed = Deed(new.organization_id, None, "user.created", str(user_id), said)
    note_deed(connection, actor, deed, now)
    return user_id


def _check(connection: Connection, new: NewUser, actor: Actor) -> str:
    """Return the roles in words, or raise every problem."""
    problems = Problems()
    wrong = mistake_in_email(new.email)
    if wrong is None and find_users(connection, new.email, new.organization_id):
        wrong = "Somebody has this address already."
    weak = None if new.password is None else new.password.mistake
    named = mistake_in_name(new.name)
    for path, mistake in (("$.email", wrong), ("$.name", named), ("$.password", weak)):
        if mistake is not None:
            problems.add(path, mistake)
    said = check_roles(connection, new.organization_id, new.roles, problems)
    _check_lasts(connection, actor, problems)
    problems.refuse()
    return said


def _check_lasts(connection: Connection, actor: Actor, problems: Problems) -> None:
    """Refuse roles that a key gives which expires: they would outlive it."""
    lasting = mistake_in_lasting_access(
        load_end_of(connection, actor), is_limited=is_limited(connection, actor)
    )
    if lasting is not None:
        problems.add(PATH, lasting)


def change_roles(
    connection: Connection,
    user: AnyRow,
    roles: Mapping[UUID | None, Role],
    actor: Actor,
    now: datetime,
) -> None:
    """Make a person belong to exactly these workspaces; in force at the next request.

    Raises:
        ValidationFailed: no role is given, or one in a workspace that is not there, or nobody else
            would be owner of the organization, or the actor is a key that expires.
    """
    lock_organization(connection, user.organization_id)
    problems = Problems()
    said = check_roles(connection, user.organization_id, roles, problems)
    _check_lasts(connection, actor, problems)
    stays_owner = roles.get(None) is Role.OWNER
    if not stays_owner and is_last_owner(user.id, load_owners(connection, user.organization_id)):
        problems.add(PATH, LAST_OWNER)
    problems.refuse()
    replace_memberships(connection, user.id, roles)
    note_user_deed(connection, actor, user, "roles_changed", now, reason=said)
