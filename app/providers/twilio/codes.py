"""Twilio's words: the meaning of its error codes and statuses. Pure.

Source: Twilio's error dictionary (https://www.twilio.com/docs/api/errors) and Message resource.
Twilio splits codes and asks not to rely on their texts, so an unknown code is a general refusal
with its number.
"""

import re

from app.providers.port import RefusalKind, Status

_MEANINGS: dict[RefusalKind, tuple[int, ...]] = {
    RefusalKind.INVALID_DESTINATION: (
        21211,  # invalid 'To' number
        21265,  # 'To' is a short code
        21268,  # 'To' is a premium number
        21614,  # 'To' is not a mobile number
        21635,  # 'To' is a landline
    ),
    RefusalKind.DESTINATION_BLOCKED: (
        21408,  # region not enabled in Messaging Geographic Permissions, or unsupported
    ),
    RefusalKind.RECIPIENT_OPTED_OUT: (
        21610,  # recipient replied STOP
    ),
    RefusalKind.NO_SENDER_NUMBER: (
        21703,  # no number of the pool can reach the destination
        21704,  # the Messaging Service has no senders
    ),
    RefusalKind.PROVIDER_MISCONFIGURED: (
        20003,  # authentication failed; account suspended or closed
        20005,  # account not active
        20006,  # access denied
        20008,  # test credentials on a live resource
        20010,  # action disabled for this account
        20404,  # resource not found: the account in the path is not ours
        21212,  # invalid 'From'
        21267,  # alphanumeric sender on a trial account
        21601,  # 'From' is not SMS-capable
        21603,  # no sender
        21604,  # no 'To'
        21606,  # 'From' is not ours
        21608,  # trial account, or no approved compliance profile
        21609,  # invalid status callback URL
        21624,  # invalid validity period
        21659,  # 'From' is not a Twilio number
        21660,  # 'From' belongs to another account
        21661,  # 'From' is not SMS-capable
        21701,  # Messaging Service does not exist
        21702,  # Messaging Service is not available
        21705,  # Messaging Service SID is invalid
    ),
}

MESSAGE_SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}", re.ASCII)
# Twilio's codes have five digits or more; the SDK puts the HTTP status where one is missing.
SMALLEST_CODE = 10_000
# The database keeps codes as 32-bit integers.
_LARGEST_CODE = 2**31 - 1
_STATUSES = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,
    "partially_delivered": Status.DELIVERED,
    "undelivered": Status.UNDELIVERED,
    "failed": Status.FAILED,
    "canceled": Status.FAILED,
}
_BY_CODE = {code: kind for kind, codes in _MEANINGS.items() for code in codes}


def refusal_kind(code: int) -> RefusalKind:
    """Return the meaning of a code; unknown ones are a general refusal."""
    return _BY_CODE.get(code, RefusalKind.MESSAGE_REJECTED)


def read_code(value: object) -> int | None:
    """Read the error code of a message, a number or its text; None where there is none."""
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_CODE))):
        return None
    return int(text) if 0 < int(text) <= _LARGEST_CODE else None


def status_of(status: str) -> Status:
    """Translate a status; unknown ones, and those before the message was sent, are `pending`."""
    return _STATUSES.get(status.lower(), Status.PENDING)
