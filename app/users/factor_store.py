"""SQL of second factors and recovery codes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update

from app.db.encryption import Cipher
from app.db.rows import AnyRow
from app.kernel.ids import new_id
from app.users.second_factor import (
    RECOVERY_CODES,
    SECRET_PENDING_FOR,
    hash_recovery_code,
    mint_recovery_code,
    pending_totp_owner,
    step_of_code,
    totp_owner,
)
from app.users.store import update_user
from app.users.tables import recovery_codes, sessions


def use_code(
    connection: Connection, cipher: Cipher, user: AnyRow, code: str, now: datetime
) -> str | None:
    """Use up a code; return its kind, or None if it is wrong."""
    if user.totp_secret is None:
        return None
    secret = cipher.decrypt(totp_owner(user.id), user.totp_secret)
    step = step_of_code(secret, code, user.totp_step, now)
    if step is not None:
        update_user(connection, user.id, now, totp_step=step)
        return "code"
    columns = recovery_codes.c
    used = connection.execute(
        update(recovery_codes)
        .where(columns.user_id == user.id, columns.used_at.is_(None))
        .where(columns.code_hash == hash_recovery_code(user.id, code))
        .values(used_at=now)
    )
    return "recovery code" if used.rowcount == 1 else None


def replace_recovery_codes(connection: Connection, user_id: UUID, now: datetime) -> list[str]:
    """Only hashes are stored."""
    drop_recovery_codes(connection, user_id)
    codes = [mint_recovery_code() for _ in range(RECOVERY_CODES)]
    rows = [
        {
            "id": new_id(),
            "user_id": user_id,
            "code_hash": hash_recovery_code(user_id, code),
            "created_at": now,
        }
        for code in codes
    ]
    connection.execute(insert(recovery_codes), rows)
    return codes


def drop_recovery_codes(connection: Connection, user_id: UUID) -> None:
    connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))


def count_recovery_codes(connection: Connection, user_id: UUID) -> int:
    columns = recovery_codes.c
    query = select(func.count()).where(columns.user_id == user_id, columns.used_at.is_(None))
    return connection.execute(query).scalar_one()


def put_pending_secret(
    connection: Connection, cipher: Cipher, session_id: UUID, secret: str, now: datetime
) -> None:
    encrypted = cipher.encrypt(pending_totp_owner(session_id), secret)
    _set_pending(connection, session_id, encrypted, now)


def load_pending_secret(
    connection: Connection, cipher: Cipher, session_id: UUID, now: datetime
) -> str | None:
    """None if it has expired."""
    columns = sessions.c
    row = connection.execute(
        select(columns.pending_totp_secret, columns.pending_totp_at).where(columns.id == session_id)
    ).one_or_none()
    if (
        row is None
        or row.pending_totp_secret is None
        or row.pending_totp_at <= now - SECRET_PENDING_FOR
    ):
        return None
    return cipher.decrypt(pending_totp_owner(session_id), row.pending_totp_secret)


def drop_pending_secret(connection: Connection, session_id: UUID) -> None:
    _set_pending(connection, session_id, None, None)


def _set_pending(
    connection: Connection, session_id: UUID, encrypted: str | None, at: datetime | None
) -> None:
    connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id)
        .values(pending_totp_secret=encrypted, pending_totp_at=at)
    )
