"""The second factor: time-based one-time passwords (RFC 6238) and recovery codes.

Each code can be used once.
"""

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import pyotp
from pyotp.utils import strings_equal

RECOVERY_CODES = 10
# How long a session may take to set up a second factor.
SECRET_PENDING_FOR = timedelta(minutes=10)
_ISSUER = "Borderpost"
_STEP_SECONDS = 30
# A phone's clock may be a step off.
_STEPS_OFF = (0, -1, 1)
_RECOVERY_BYTES = 10
_GROUP = 4


def mint_totp_secret() -> str:
    return pyotp.random_base32()


def totp_owner(user_id: UUID) -> str:
    return f"totp:{user_id}"


def pending_totp_owner(session_id: UUID) -> str:
    return f"pending-totp:{session_id}"


def provisioning_uri(secret: str, email: str) -> str:
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)


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
    """Codes are random, so SHA-256 is enough."""
    plain = "".join(char for char in code.lower() if char.isalnum())
    return hashlib.sha256(f"{user_id}:{plain}".encode()).hexdigest()
