"""Validation of a create call, the new message, and its JSON.

Sources: Twilio, test credentials and OpenAPI description.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Final

import phonenumbers

from app.emulator.accounts import CURRENCY, Account, price_of_segment, region_of
from app.emulator.callbacks.webhooks import is_valid
from app.emulator.errors import TwilioError
from app.emulator.records import API_VERSION, Message, TwilioStatus, count_segments
from app.emulator.whole_numbers import read_whole_number

# Twilio, test credentials. Twilio honours them only without a Messaging Service.
MAGIC_TO: Final[Mapping[str, int]] = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_FROM: Final[Mapping[str, int]] = {
    "+15005550001": 21212,
    "+15005550007": 21606,
    "+15005550008": 21611,
}

_SERVICE_SID: Final = re.compile(r"MG[0-9a-fA-F]{32}")
_SHORT_CODE: Final = re.compile(r"[0-9]{3,8}")
_ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +&_-]{1,11}")
_LONGEST_BODY: Final = 1600
_LONGEST_VALIDITY: Final = 36_000
_PRICED = frozenset({TwilioStatus.DELIVERED, TwilioStatus.UNDELIVERED, TwilioStatus.READ})


def check(form: Mapping[str, str], account: Account) -> None:
    """Raises `TwilioError` with the code that Twilio gives for this form."""
    _check_presence(form)
    _check_parameters(form)
    if form.get("From"):
        _check_sender(form["From"])
    _check_recipient(form["To"], form.get("From"))
    if not account.can_reach(region_of(form["To"])):
        raise TwilioError(21408, _masked(form["To"]))


def _check_presence(form: Mapping[str, str]) -> None:
    if not form.get("To"):
        raise TwilioError(21604)
    if not form.get("From") and not form.get("MessagingServiceSid"):
        raise TwilioError(21603)
    if not any(form.get(name) for name in ("Body", "MediaUrl", "ContentSid")):
        raise TwilioError(21602)


def _check_parameters(form: Mapping[str, str]) -> None:
    if len(form.get("Body", "")) > _LONGEST_BODY:
        raise TwilioError(21617)
    service = form.get("MessagingServiceSid")
    if service and not _SERVICE_SID.fullmatch(service):
        raise TwilioError(21705)
    if form.get("StatusCallback") and not is_valid(form["StatusCallback"]):
        raise TwilioError(21609)
    if read_whole_number(form.get("ValidityPeriod", "1"), 1, _LONGEST_VALIDITY) is None:
        raise TwilioError(21624)


def _check_sender(sender: str) -> None:
    if sender in MAGIC_FROM:
        raise TwilioError(MAGIC_FROM[sender])
    named = _SHORT_CODE.fullmatch(sender) or _ALPHANUMERIC.fullmatch(sender)
    if not named and not _is_number(sender):
        raise TwilioError(21212, _masked(sender))


def _check_recipient(to: str, sender: str | None) -> None:
    if to in MAGIC_TO:
        raise TwilioError(MAGIC_TO[to], _masked(to))
    if _SHORT_CODE.fullmatch(to):
        raise TwilioError(21265)
    if not _is_number(to):
        raise TwilioError(21211, _masked(to))
    if to == sender:
        raise TwilioError(21266)


def _is_number(text: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, None))
    except phonenumbers.NumberParseException:
        return False


def _masked(number: str) -> str:
    return f"{number[:-4]}XXXX"


def new_message(form: Mapping[str, str], account: Account, at: datetime) -> Message:
    """The message of a valid form: queued, or accepted until a sender is chosen."""
    body = form.get("Body", "")
    return Message(
        sid=f"SM{secrets.token_hex(16)}",
        account_sid=account.sid,
        to=form["To"],
        body=body,
        sender=form.get("From") or None,
        messaging_service_sid=form.get("MessagingServiceSid") or None,
        status_callback=form.get("StatusCallback") or None,
        status=TwilioStatus.ACCEPTED if form.get("MessagingServiceSid") else TwilioStatus.QUEUED,
        num_segments=0 if form.get("MessagingServiceSid") else count_segments(body),
        created_at=at,
        updated_at=at,
    )


def message_json(message: Message) -> dict[str, object]:
    uri = f"/{API_VERSION}/Accounts/{message.account_sid}/Messages/{message.sid}"
    return {
        "account_sid": message.account_sid,
        "api_version": API_VERSION,
        "body": message.body,
        "date_created": format_datetime(message.created_at),
        "date_sent": message.sent_at and format_datetime(message.sent_at),
        "date_updated": format_datetime(message.updated_at),
        "direction": "outbound-api",
        "error_code": message.error_code,
        "error_message": None if message.error_code is None else "The message was not delivered",
        "from": message.sender,
        "messaging_service_sid": message.messaging_service_sid,
        "num_media": "0",
        "num_segments": str(message.num_segments),
        "price": _price(message),
        "price_unit": CURRENCY,
        "sid": message.sid,
        "status": message.status.value,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def _price(message: Message) -> str | None:
    if message.status not in _PRICED:
        return None
    return str(-message.num_segments * price_of_segment(region_of(message.to) or ""))
