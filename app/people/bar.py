"""Disable users and reset their credentials."""

from datetime import datetime

from sqlalchemy import Connection

from app.access.actor import Actor
from app.access.attempts import forget_attempts
from app.access.key_rules import mistake_in_lasting_access
from app.access.key_store import is_limited, load_end_of
from app.access.scope import lock_organization
from app.db.rows import AnyRow
from app.kernel.errors import ValidationFailed
from app.people.caller import of_account, of_own
from app.people.deeds import note_user_deed
from app.people.factor_store import drop_recovery_codes
from app.people.passwords import NewPassword
from app.people.safeguards import LAST_OWNER, check_is_another, is_last_owner
from app.people.sessions import end_sessions_of
from app.people.store import load_owners, update_user


def disable_user(connection: Connection, user: AnyRow, actor: Actor, now: datetime) -> bool:
    """Disable a user from the next request on; return whether the user was enabled before.

    Raises:
        ValidationFailed: it is the actor, or the organization's last owner.
    """
    check_is_another(actor, user.id)
    lock_organization(connection, user.organization_id)
    if user.disabled_at is not None:
        return False
    if is_last_owner(user.id, load_owners(connection, user.organization_id)):
        raise ValidationFailed({"$": [LAST_OWNER]})
    update_user(connection, user.id, now, disabled_at=now)
    end_sessions_of(connection, user.id, now)
    note_user_deed(connection, actor, user, "disabled", now)
    return True


def reset_user(
    connection: Connection, user: AnyRow, password: NewPassword | None, actor: Actor, now: datetime
) -> None:
    """Give a person a new password and a fresh start: no second factor, no pause, no sessions.

    No browser is known any more, and the next sign-in at an identity provider pins the account.

    Without a password they sign in at the identity provider only.

    Raises:
        ValidationFailed: it is the actor, or the actor is a key that expires, or the password is
            too weak.
    """
    check_is_another(actor, user.id)
    lasting = mistake_in_lasting_access(
        load_end_of(connection, actor), is_limited=is_limited(connection, actor)
    )
    if lasting is not None:
        raise ValidationFailed({"$": [lasting]})
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
    forget_attempts(connection, of_account(user.email), of_own(user.id))
    end_sessions_of(connection, user.id, now)
    note_user_deed(connection, actor, user, "reset", now)
