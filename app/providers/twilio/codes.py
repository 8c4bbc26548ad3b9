"""Twilio's error codes, with the kinds of the definite refusals.

Source: Twilio's error dictionary (https://www.twilio.com/docs/api/errors). Twilio splits codes, so
an unknown one is a general refusal.
"""

import re

from app.providers.port import ErrorCodes, RefusalKind, Status

_MEANINGS: dict[RefusalKind, dict[int, str]] = {
    RefusalKind.INVALID_DESTINATION: {
        21211: "The number does not exist in this form.",
        21265: "The number is a short code; those receive no messages.",
        21268: "The number is a premium number; those receive no messages.",
        21614: "The number is not a mobile number.",
        21635: "The number is a landline.",
    },
    RefusalKind.DESTINATION_BLOCKED: {
        # Also a country that Twilio does not serve.
        21408: "Twilio's geo permissions do not allow this country.",
    },
    RefusalKind.RECIPIENT_OPTED_OUT: {
        21610: "The recipient replied STOP and has to reply START first.",
    },
    RefusalKind.NO_SENDER_NUMBER: {
        21703: "No number of the sender pool can reach this country.",
        21704: "The Messaging Service has no senders.",
    },
    RefusalKind.PROVIDER_MISCONFIGURED: {
        20003: "Twilio does not accept the account's credentials, or the account is closed.",
        20005: "The Twilio account is not active.",
        20006: "The Twilio account may not do this.",
        20008: "Test credentials were used where live ones are needed.",
        20010: "This is turned off for the Twilio account.",
        20404: "Twilio knows nothing of this: often the credentials are of another account.",
        21212: "The sender is not one that Twilio knows.",
        21267: "Trial accounts cannot send from a name.",
        21601: "The sender cannot send SMS.",
        21603: "The message has no sender.",
        21604: "The message has no recipient.",
        21606: "The sender does not belong to the account, or cannot send to this country.",
        # Also without an approved compliance profile.
        21608: "A trial account reaches verified numbers only.",
        21609: "Twilio cannot use the callback address: check BORDERPOST_PUBLIC_URL.",
        21624: "The validity period is not one that Twilio takes.",
        21659: "The sender is not a Twilio number.",
        21660: "The sender belongs to another account.",
        21661: "The sender cannot send SMS.",
        21701: "The Messaging Service does not exist.",
        21702: "The Messaging Service is not available.",
        21705: "The SID of the Messaging Service is malformed.",
    },
}
_OTHER_MEANINGS = {
    14107: "Too many automatic replies between two numbers in half a minute.",
    20001: "Twilio found the request malformed: a defect of the gateway's.",
    20429: "Too many requests at once; Twilio processed nothing.",
    20500: "Twilio had an internal error.",
    20503: "Twilio was not available.",
    21266: "The message was addressed to its own sender.",
    21602: "The message has no text.",
    21611: "The sender has too many messages waiting.",
    21612: "Twilio has no route from this sender to this number.",
    21617: "The text is longer than 1,600 characters.",
    21618: "All carriers filter this text.",
    21730: "Twilio is under maintenance.",
    30001: "Too many messages were waiting at Twilio.",
    30002: "The Twilio account was suspended after the message was accepted.",
    30003: "The phone is off, out of reach, or does not exist any more.",
    30004: "The recipient's carrier blocks messages to this number, often after a STOP.",
    30005: "The number is not in service.",
    30006: "The number is a landline, or its carrier cannot be reached.",
    30007: "Twilio or the carrier filtered the message as unwanted.",
    30008: "The carrier gave no reason.",
    30010: "The price was above the highest allowed.",
    30012: "The validity period was too short.",
    30013: "The validity period was too long.",
    30017: "The carrier's network was congested.",
    30018: "The country wants this sender name registered first.",
    30020: "Twilio had an internal error.",
    30021: "Twilio had an internal error.",
    30022: "The campaign sends faster than the carriers allow.",
    30023: "The brand's daily limit at the carrier is used up.",
    30024: "The sender is not ready at the carrier yet.",
    30032: "The toll-free sender is not verified.",
    30033: "The A2P campaign is suspended.",
    30034: "The US sender is not registered with an A2P campaign.",
    30035: "The sender is still being set up.",
    30036: "The message waited longer than it was valid.",
    30410: "The carrier did not answer in time.",
    30450: "Twilio's protection against SMS pumping blocks the number for half an hour.",
    30453: "Twilio's protection against SMS pumping blocks the number for some hours.",
    30610: "The recipient's quiet hours.",
    30990: "The A2P campaign is suspended.",
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
    return _BY_CODE.get(code, RefusalKind.MESSAGE_REJECTED)


def read_code(value: object) -> int | None:
    """Parse the error code of a message, a number or its text; None without one."""
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_CODE))):
        return None
    return int(text) if 0 < int(text) <= _LARGEST_CODE else None


def status_of(status: str) -> Status:
    """Translate a status; unknown ones, and those before the message was sent, are `pending`."""
    return _STATUSES.get(status.lower(), Status.PENDING)


ERROR_CODES = ErrorCodes(
    page="https://www.twilio.com/docs/api/errors/{code}",
    opted_out=21610,
    meanings={code: text for texts in _MEANINGS.values() for code, text in texts.items()}
    | _OTHER_MEANINGS,
)
