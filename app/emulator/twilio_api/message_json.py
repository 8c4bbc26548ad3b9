"""The JSON of a Message resource (Twilio, OpenAPI description)."""

from datetime import datetime
from email.utils import format_datetime

from app.emulator.prices import CURRENCY, price_of_segment
from app.emulator.records import API_VERSION, Message, TwilioStatus
from app.emulator.regions import region_of

_PRICED = frozenset({TwilioStatus.DELIVERED, TwilioStatus.UNDELIVERED, TwilioStatus.READ})


def message_json(message: Message) -> dict[str, object]:
    uri = f"/{API_VERSION}/Accounts/{message.account_sid}/Messages/{message.sid}"
    return {
        "account_sid": message.account_sid,
        "api_version": API_VERSION,
        "body": message.body,
        "date_created": format_datetime(message.created_at),
        "date_sent": _moment(message.sent_at),
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
    """The negative price of a finished message, or null."""
    if message.status not in _PRICED:
        return None
    return str(-message.num_segments * price_of_segment(region_of(message.to) or ""))


def _moment(at: datetime | None) -> str | None:
    return None if at is None else format_datetime(at)
