"""Create, disable and reset users, and change their roles."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, insert

from app.access.attempts import forget_attempts
from app.access.audit import AuditedChange, AuditEvent
from app.access.key_rules import mistake_in_lasting_access
from app.access.keys import load_key_of
from app.access.principal import Actor, Role
from app.access.store import lock_organization
from app.db.rows import AnyRow
from app.kernel.errors import Problems, ValidationFailed
from app.kernel.ids import mistake_in_name, new_id
from app.kernel.mail import mistake_in_email, normal_email
from app.users.caller import of_account, of_own
from app.users.passwords import NewPassword
from app.users.second_factor import drop_recovery_codes
from app.users.sessions import end_sessions_of
from app.users.store import (
    drop_sign_in_link,
    find_users,
    load_owners,
    load_workspace_names,
    replace_memberships,
    update_user,
)
from app.users.tables import users

PATH = "$.roles"
NOWHERE = "Must belong to a workspace or to the organization."
ABSENT = "There is no such workspace."
LAST_OWNER = "This is the only owner of the whole organization: make another user owner first."
YOURSELF = "This is your own account: another owner can do this."


def check_roles(
    connection: Connection,
    organization_id: UUID,
    roles: Mapping[UUID | None, Role],
    problems: Problems,
) -> str:
    """Add problems of roles; return the roles as text for the audit log."""
    wanted = [workspace_id for workspace_id in roles if workspace_id is not None]
    names = load_workspace_names(connection, organization_id, wanted) if wanted else {}
    if not roles:
        problems.add(PATH, NOWHERE)
    if len(names) < len(wanted):
        problems.add(PATH, ABSENT)
    first = [f"{roles[None]} in every workspace"] if None in roles else []
    return ", ".join(first + sorted(f"{roles[place]} in {name}" for place, name in names.items()))


def is_last_owner(user_id: UUID, owners: Collection[UUID]) -> bool:
    return set(owners) == {user_id}


def check_is_another(actor: Actor, user_id: UUID) -> None:
    if actor.actor_id == user_id:
        raise ValidationFailed({"$": [YOURSELF]})


@dataclass(frozen=True, slots=True)
class NewUser:
    """``roles`` by workspace (None: organization); without a password, sign-in at the provider."""

    organization_id: UUID
    email: str
    name: str
    roles: Mapping[UUID | None, Role]
    password: NewPassword | None


def create_user(change: AuditedChange, new: NewUser) -> UUID:
    """Raises `ValidationFailed` with every problem; an expiring key may not create users."""
    connection, user_id = change.connection, new_id()
    lock_organization(connection, new.organization_id)
    roles = _check(change, new)
    values = {
        "id": user_id,
        "organization_id": new.organization_id,
        "email": normal_email(new.email),
        "name": new.name,
        "password_hash": None if new.password is None else new.password.hash,
        "created_at": change.now,
        "updated_at": change.now,
    }
    connection.execute(insert(users).values(values))
    replace_memberships(connection, user_id, new.roles)
    change.record(AuditEvent("user.created", None, user_id, roles, new.organization_id))
    return user_id


def _check(change: AuditedChange, new: NewUser) -> str:
    connection, problems = change.connection, Problems()
    wrong = mistake_in_email(new.email)
    if wrong is None and find_users(connection, new.email, new.organization_id):
        wrong = "Another user has this address."
    problems.add("$.email", wrong)
    problems.add("$.name", mistake_in_name(new.name))
    problems.add("$.password", None if new.password is None else new.password.mistake)
    roles = check_roles(connection, new.organization_id, new.roles, problems)
    problems.add(PATH, _mistake_in_grant(change))
    problems.refuse()
    return roles


def _mistake_in_grant(change: AuditedChange) -> str | None:
    """An expiring key grants no access, as it would outlive the key."""
    key = load_key_of(change.connection, change.actor)
    if key is None:
        return None
    return mistake_in_lasting_access(key.expires_at, is_limited=key.limits is not None)


def change_roles(change: AuditedChange, user: AnyRow, roles: Mapping[UUID | None, Role]) -> None:
    """Raises `ValidationFailed`, also for the last owner and for an expiring key as the actor."""
    connection, problems = change.connection, Problems()
    lock_organization(connection, user.organization_id)
    text = check_roles(connection, user.organization_id, roles, problems)
    problems.add(PATH, _mistake_in_grant(change))
    stays_owner = roles.get(None) is Role.OWNER
    if not stays_owner and is_last_owner(user.id, load_owners(connection, user.organization_id)):
        problems.add(PATH, LAST_OWNER)
    problems.refuse()
    replace_memberships(connection, user.id, roles)
    change.record_of(user, "user.roles_changed", text)


def disable_user(change: AuditedChange, user: AnyRow) -> bool:
    """Return whether the user was enabled; raises `ValidationFailed` for actor and last owner."""
    connection, now = change.connection, change.now
    check_is_another(change.actor, user.id)
    lock_organization(connection, user.organization_id)
    if user.disabled_at is not None:
        return False
    if is_last_owner(user.id, load_owners(connection, user.organization_id)):
        raise ValidationFailed({"$": [LAST_OWNER]})
    update_user(connection, user.id, now, disabled_at=now)
    drop_sign_in_link(connection, user.id)
    end_sessions_of(connection, user.id, now)
    change.record_of(user, "user.disabled")
    return True


def reset_user(change: AuditedChange, user: AnyRow, password: NewPassword | None) -> None:
    """Reset a user: new password, no second factor, lock-out, sessions, known browsers.

    The next sign-in at an identity provider pins the account again. Raises `ValidationFailed`
    for the actor, an expiring key as the actor, or a weak password.
    """
    connection, now, problems = change.connection, change.now, Problems()
    check_is_another(change.actor, user.id)
    problems.add("$", _mistake_in_grant(change))
    problems.refuse()
    if password is not None and password.mistake is not None:
        raise ValidationFailed({"$.password": [password.mistake]})
    update_user(
        connection,
        user.id,
        now,
        password_hash=None if password is None else password.hash,
        totp_secret=None,
        totp_step=None,
        identity_issuer=None,
        identity_subject=None,
        browsers_known_since=now,
        locked_until=None,
        disabled_at=None,
    )
    drop_recovery_codes(connection, user.id)
    drop_sign_in_link(connection, user.id)
    forget_attempts(connection, of_account(user.email), of_own(user.id))
    end_sessions_of(connection, user.id, now)
    change.record_of(user, "user.reset")
