"""The second factor: time-based one-time passwords (RFC 6238). Each code counts once."""

from datetime import datetime
from uuid import UUID

import pyotp
from pyotp.utils import strings_equal

_ISSUER = "Borderpost"
_STEP_SECONDS = 30
# A telephone's clock may be a step off.
_STEPS_OFF = (0, -1, 1)


def mint_totp_secret() -> str:
    """Make a secret for an authenticator app: 32 base-32 characters."""
    return pyotp.random_base32()


def totp_owner(user_id: UUID) -> str:
    """Name the row that a sealed secret belongs to."""
    return f"totp:{user_id}"


def provisioning_uri(secret: str, email: str) -> str:
    """Return the ``otpauth://`` URI that an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)


def step_of_code(secret: str, code: str, last_step: int | None, now: datetime) -> int | None:
    """Return the time step that a code is for; None where it is wrong or was used before."""
    given = code.replace(" ", "")
    current = int(now.timestamp()) // _STEP_SECONDS
    for off in _STEPS_OFF:
        step = current + off
        is_new = last_step is None or step > last_step
        if is_new and strings_equal(given, pyotp.TOTP(secret).generate_otp(step)):
            return step
    return None
