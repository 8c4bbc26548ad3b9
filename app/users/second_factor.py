"""Time-based one-time passwords (RFC 6238) and recovery codes: each can be used once."""

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import pyotp
from pyotp.utils import strings_equal
from sqlalchemy import Connection, delete, func, insert, select, update

from app.db.encryption import Cipher
from app.db.installation import encrypt_for_all
from app.db.rows import AnyRow
from app.kernel.ids import new_id
from app.users.store import update_user
from app.users.tables import recovery_codes, sessions

RECOVERY_CODES = 10
# How long a session may take to set up a second factor.
SECRET_PENDING_FOR = timedelta(minutes=10)
_STEP_SECONDS = 30
# A phone's clock may be a step off.
_STEPS_OFF = (0, -1, 1)
_RECOVERY_BYTES = 10
_GROUP = 4


def totp_owner(user_id: UUID) -> str:
    return f"totp:{user_id}"


def pending_totp_owner(session_id: UUID) -> str:
    return f"pending-totp:{session_id}"


def provisioning_uri(secret: str, email: str) -> str:
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Borderpost")


def step_of_code(secret: str, code: str, last_step: int | None, now: datetime) -> int | None:
    """Return the time step of a code; None if wrong or used."""
    given = code.replace(" ", "")
    current = int(now.timestamp()) // _STEP_SECONDS
    for off in _STEPS_OFF:
        step = current + off
        is_new = last_step is None or step > last_step
        if is_new and strings_equal(given, pyotp.TOTP(secret).generate_otp(step)):
            return step
    return None


def mint_recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
    return "-".join(text[place : place + _GROUP] for place in range(0, len(text), _GROUP))


def hash_recovery_code(user_id: UUID, code: str) -> str:
    """SHA-256 is enough for a random code."""
    plain = "".join(char for char in code.lower() if char.isalnum())
    return hashlib.sha256(f"{user_id}:{plain}".encode()).hexdigest()


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


def load_pending_secret(
    connection: Connection, cipher: Cipher, session_id: UUID, now: datetime
) -> str | None:
    """None if it has expired."""
    begun_after = sessions.c.pending_totp_at > now - SECRET_PENDING_FOR
    query = select(sessions.c.pending_totp_secret).where(sessions.c.id == session_id, begun_after)
    encrypted = connection.execute(query).scalar_one_or_none()
    if encrypted is None:
        return None
    return cipher.decrypt(pending_totp_owner(session_id), encrypted)


def put_pending_secret(
    connection: Connection, cipher: Cipher, session_id: UUID, secret: str | None, now: datetime
) -> None:
    """None drops it."""
    owner = pending_totp_owner(session_id)
    encrypted = None if secret is None else encrypt_for_all(connection, cipher, owner, secret)
    pending = {"pending_totp_secret": encrypted, "pending_totp_at": now}
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(pending))
