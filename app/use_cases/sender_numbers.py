"""Valid senders of each type, and their countries. Pure."""

import re

from app.kernel.phone import NOT_REAL, is_e164, problem_of_number, resolve
from app.use_cases.eligibility import SenderType

_SHORT_CODE = re.compile(r"[0-9]{3,8}", re.ASCII)
# Source: Twilio, "Alphanumeric Sender ID".
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9+\-_& ]{1,11}", re.ASCII)
_NUMBERED = {SenderType.LONG_CODE, SenderType.TOLL_FREE}


def mistake_in_number(number: str, kind: SenderType) -> str | None:
    if kind in _NUMBERED:
        return _mistake_in_whole_number(number)
    if kind is SenderType.SHORT_CODE:
        return None if _SHORT_CODE.fullmatch(number) else "Must have 3 to 8 digits."
    if _ALPHANUMERIC.fullmatch(number) and number == number.strip():
        return None
    return "Must have 1 to 11 letters, digits or any of + - _ & and space, with a letter."


def _mistake_in_whole_number(number: str) -> str | None:
    if not is_e164(number):
        return "Must be in E.164 form, for example +12025550100."
    return problem_of_number(number) or (None if resolve(number).is_real else NOT_REAL)


def sender_country(number: str, kind: SenderType) -> str | None:
    """Return the country of a whole number; None for other senders."""
    return resolve(number).country if kind in _NUMBERED else None
