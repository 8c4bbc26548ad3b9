"""Changing people: each change in one transaction with its audit row, in force at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.actor import Actor
from app.access.audit import Deed, note_deed
from app.access.roles import Role
from app.db.rows import AnyRow
from app.kernel.errors import ValidationFailed
from app.kernel.ids import new_id
from app.people.passwords import hash_password, mistake_in_password
from app.people.sessions import end_sessions_of
from app.people.store import (
    find_user,
    insert_user,
    normal_email,
    replace_memberships,
    update_user,
)

MAX_EMAIL_CHARS = 254


@dataclass(frozen=True, slots=True)
class NewUser:
    """A person to be; ``roles`` by workspace, None standing for the whole organization."""

    organization_id: UUID
    email: str
    name: str
    roles: Mapping[UUID | None, Role]
    password: str | None


def mistake_in_email(email: str) -> str | None:
    """Say what is wrong with an e-mail address, or None."""
    local, _, domain = email.strip().rpartition("@")
    is_plain = email.strip().isprintable() and " " not in email.strip()
    if not (local and domain and is_plain and len(email.strip()) <= MAX_EMAIL_CHARS):
        return "Must be an e-mail address, for example ada@example.com."
    return None


def create_user(connection: Connection, new: NewUser, actor: Actor, now: datetime) -> UUID:
    """Make a person's account.

    Raises:
        ValidationFailed: the address is wrong or taken, the password too weak, or no role given.
    """
    problems: dict[str, list[str]] = {}
    wrong = mistake_in_email(new.email)
    if wrong is None and find_user(connection, new.email) is not None:
        wrong = "Somebody has this address already."
    if wrong is not None:
        problems["$.email"] = [wrong]
    weak = None if new.password is None else mistake_in_password(new.password)
    if weak is not None:
        problems["$.password"] = [weak]
    if not new.roles:
        problems["$.roles"] = ["Must belong to a workspace or to the organization."]
    if problems:
        raise ValidationFailed(problems)
    user_id = new_id()
    values = {
        "organization_id": new.organization_id,
        "email": normal_email(new.email),
        "name": new.name,
        "password_hash": None if new.password is None else hash_password(new.password),
        "created_at": now,
        "updated_at": now,
    }
    insert_user(connection, user_id, values)
    replace_memberships(connection, user_id, new.roles)
    deed = Deed(new.organization_id, None, "user.created", str(user_id))
    note_deed(connection, actor, deed, now)
    return user_id


def change_roles(
    connection: Connection,
    user: AnyRow,
    roles: Mapping[UUID | None, Role],
    actor: Actor,
    now: datetime,
) -> None:
    """Make a person belong to exactly these workspaces; in force at the next request."""
    replace_memberships(connection, user.id, roles)
    note_user_deed(connection, actor, user, "roles_changed", now)


def disable_user(connection: Connection, user: AnyRow, actor: Actor, now: datetime) -> bool:
    """Bar a person from the next request on; say whether they were not barred before."""
    if user.disabled_at is not None:
        return False
    update_user(connection, user.id, now, disabled_at=now)
    end_sessions_of(connection, user.id, now)
    note_user_deed(connection, actor, user, "disabled", now)
    return True


def reset_user(
    connection: Connection, user: AnyRow, password: str, actor: Actor, now: datetime
) -> None:
    """Give a person a new password and a fresh start: no second factor, no pause, no sessions.

    Raises:
        ValidationFailed: the password is too weak.
    """
    weak = mistake_in_password(password)
    if weak is not None:
        raise ValidationFailed({"$.password": [weak]})
    update_user(
        connection,
        user.id,
        now,
        password_hash=hash_password(password),
        totp_secret=None,
        totp_step=None,
        failed_sign_ins=0,
        locked_until=None,
        disabled_at=None,
    )
    end_sessions_of(connection, user.id, now)
    note_user_deed(connection, actor, user, "reset", now)


def note_user_deed(
    connection: Connection, actor: Actor, user: AnyRow, what: str, now: datetime
) -> None:
    """Write the audit row of a change of a person."""
    note_deed(
        connection, actor, Deed(user.organization_id, None, f"user.{what}", str(user.id)), now
    )
