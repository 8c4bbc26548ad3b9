"""What a person may change of the own account: the password and the second factor."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.actor import Actor
from app.db.rows import AnyRow
from app.db.vault import Vault
from app.kernel.errors import NotFound, ValidationFailed
from app.people.deeds import note_user_deed
from app.people.passwords import hash_password, is_password, mistake_in_password
from app.people.second_factor import step_of_code, totp_owner
from app.people.sessions import end_sessions_of
from app.people.store import load_user, update_user


def change_password(
    connection: Connection,
    user_id: UUID,
    *,
    current: str,
    new: str,
    session_id: UUID,
    actor: Actor,
    now: datetime,
) -> None:
    """Let a person change the own password; their other sessions end.

    Raises:
        ValidationFailed: the current one is wrong, or the new one too weak.
    """
    user = _user(connection, user_id)
    problems: dict[str, list[str]] = {}
    if not is_password(user.password_hash, current):
        problems["$.current_password"] = ["Is not your password."]
    weak = mistake_in_password(new)
    if weak is not None:
        problems["$.new_password"] = [weak]
    if problems:
        raise ValidationFailed(problems)
    update_user(connection, user_id, now, password_hash=hash_password(new))
    end_sessions_of(connection, user_id, now, but=session_id)
    note_user_deed(connection, actor, user, "password_changed", now)


def set_second_factor(
    connection: Connection,
    vault: Vault,
    user_id: UUID,
    *,
    secret: str,
    code: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Switch the second factor on, once a code proves that the app has the secret.

    Raises:
        ValidationFailed: the code is wrong.
    """
    user = _user(connection, user_id)
    step = step_of_code(secret, code, None, now)
    if step is None:
        raise ValidationFailed({"$.code": ["Is not the code that the app shows now."]})
    sealed = vault.seal(totp_owner(user_id), secret)
    update_user(connection, user_id, now, totp_secret=sealed, totp_step=step)
    note_user_deed(connection, actor, user, "second_factor_set", now)


def remove_second_factor(
    connection: Connection, user_id: UUID, *, password: str, actor: Actor, now: datetime
) -> None:
    """Switch the second factor off.

    Raises:
        ValidationFailed: the password is wrong.
    """
    user = _user(connection, user_id)
    if not is_password(user.password_hash, password):
        raise ValidationFailed({"$.password": ["Is not your password."]})
    update_user(connection, user_id, now, totp_secret=None, totp_step=None)
    note_user_deed(connection, actor, user, "second_factor_removed", now)


def _user(connection: Connection, user_id: UUID) -> AnyRow:
    user = load_user(connection, user_id)
    if user is None:
        raise NotFound
    return user
