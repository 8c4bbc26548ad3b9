"""Rules of use cases: senders, registrations, and whether one may send. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from app.kernel import errors as e
from app.kernel.phone import NOT_REAL, is_e164, problem_of_number, resolve

# Source: Twilio's BrandRegistrations and Usa2p resources. A brand's statuses are a closed set;
# a campaign's is any text, and only this one permits its use.
SUSPENDED = "SUSPENDED"
BRAND_STATUSES = (
    "PENDING",
    "APPROVED",
    "FAILED",
    "IN_REVIEW",
    "DELETION_PENDING",
    "DELETION_FAILED",
    SUSPENDED,
)
VERIFIED = "VERIFIED"


class OnUnconfirmed(StrEnum):
    """Wait for a trace (nothing is sent twice), or send again (at least once)."""

    WAIT = "wait"
    RESEND = "resend"


@dataclass(frozen=True, slots=True)
class Registration:
    """Without a status, the stored one of the same SID stays."""

    sid: str
    status: str | None = None


def registration_columns(
    kind: str, given: Registration | None, stored: Registration | None
) -> dict[str, str | None]:
    """None removes the registration."""
    if given is None:
        return {f"{kind}_sid": None, f"{kind}_status": None}
    # A status belongs to one registration only.
    kept = stored.status if stored is not None and stored.sid == given.sid else None
    return {f"{kind}_sid": given.sid, f"{kind}_status": given.status or kept}


class SenderType(StrEnum):
    LONG_CODE = "long_code"
    TOLL_FREE = "toll_free"
    SHORT_CODE = "short_code"
    ALPHANUMERIC = "alphanumeric"


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The state behind the preconditions; statuses as in Twilio."""

    active: bool
    brand_status: str | None
    campaign_status: str | None
    has_sender: bool
    has_us_long_code: bool


def check_eligibility(eligibility: Eligibility) -> None:
    """Raise the first of the `obstacles`."""
    for obstacle in obstacles(eligibility):
        raise obstacle


def obstacles(eligibility: Eligibility) -> Iterator[type[e.PublicError]]:
    """Yield every obstacle, in the order of the checks."""
    if not eligibility.active:
        yield e.UseCaseInactive
    if eligibility.brand_status == SUSPENDED:
        yield e.BrandSuspended
    if not eligibility.has_sender:
        yield e.NoSenderNumber
    if eligibility.has_us_long_code and eligibility.campaign_status != VERIFIED:
        yield e.CampaignNotVerified


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
