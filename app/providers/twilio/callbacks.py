"""What Twilio posts: status callbacks, and what recipients write.

Source: Twilio, default opt-out keywords: the whole text must be the keyword. Twilio replies to the
recipient itself, so the answer to an inbound message is empty TwiML.
"""

from flask import Response, request

from app.kernel import errors as e
from app.kernel.ids import parse_id
from app.kernel.phone import PhoneNumber
from app.kernel.provider_sids import canonical_sid
from app.providers.port import Callbacks, Consent, DeliveryReport
from app.providers.twilio.client import INBOUND_PATH, STATUS_PATH
from app.providers.twilio.codes import MESSAGE_SID, refusal_kind, status_of
from app.providers.twilio.signed_form import SIGNATURE_HEADER, SignedByTwilio, SignedForm
from app.web.registry import get_service
from app.web.routes import Answer, Routes

_STOP = frozenset(["STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"])
_START = frozenset(["START", "UNSTOP", "YES"])
_ERRORS = (e.UnsupportedMediaType, e.Forbidden, e.PayloadTooLarge, e.ServiceUnavailable)
_REPORT = {
    "AccountSid": "AC" + "0" * 32,
    "MessageSid": "SM" + "0" * 32,
    "MessageStatus": "undelivered",
    "ErrorCode": "30005",
    "From": "+12025550100",
}
_INBOUND = {
    "AccountSid": "AC" + "0" * 32,
    "MessageSid": "SM" + "0" * 32,
    "MessagingServiceSid": "MG" + "0" * 32,
    "From": "+12025550123",
    "Body": "STOP",
    "OptOutType": "STOP",
}

routes = Routes("Twilio webhooks")


@routes.add(
    "POST",
    STATUS_PATH,
    SignedByTwilio(),
    {204: None},
    form=_REPORT,
    headers=SIGNATURE_HEADER,
    errors=_ERRORS,
)
def sms_status(signed: SignedForm) -> Answer:
    """Receive a status callback; duplicates and unknown messages are acknowledged."""
    get_service(Callbacks).report(read_report(signed))
    return Response(status=204)


def read_report(signed: SignedForm) -> DeliveryReport | None:
    """None without a message or a status."""
    message_sid = signed.text("MessageSid", "SmsSid")
    status = signed.text("MessageStatus", "SmsStatus", limit=40)
    if message_sid is None or status is None or not MESSAGE_SID.fullmatch(message_sid):
        return None
    error_code = signed.number("ErrorCode") or None
    return DeliveryReport(
        account_sid=signed.account_sid,
        message_sid=message_sid,
        message_id=parse_id(request.args.get("message_id", "")),
        status=status_of(status),
        provider_status=status,
        error_code=error_code,
        from_number=signed.text("From"),
        num_segments=signed.number("NumSegments") or None,
        meaning=None if error_code is None else refusal_kind(error_code),
        is_signed=True,
    )


@routes.add(
    "POST",
    INBOUND_PATH,
    SignedByTwilio(),
    {200: "text/xml"},
    form=_INBOUND,
    headers=SIGNATURE_HEADER,
    errors=_ERRORS,
)
def sms_inbound(signed: SignedForm) -> Answer:
    """Receive an inbound message: STOP and START change the opt-out list."""
    number = PhoneNumber.parse(signed.text("From") or "")
    wants = wanted_messages(signed)
    if wants is not None and number is not None:
        consent = Consent(
            account_sid=signed.account_sid,
            messaging_service_sid=canonical_sid(signed.text("MessagingServiceSid") or "") or None,
            sender=_sender(signed),
            recipient=number,
            wants_messages=wants,
            message_sid=signed.text("MessageSid", "SmsSid", "SmsMessageSid"),
        )
        get_service(Callbacks).consent(consent)
    return Response('<?xml version="1.0" encoding="UTF-8"?><Response/>', mimetype="text/xml")


def _sender(signed: SignedForm) -> str | None:
    """Return the number, short code or name that the recipient answered."""
    sender = signed.text("To")
    return None if sender is None else PhoneNumber.parse(sender) or sender


def wanted_messages(signed: SignedForm) -> bool | None:
    """Whether the keyword asks for messages; None if it is not a keyword."""
    word = signed.text("OptOutType") or signed.text("Body", limit=1600) or ""
    word = word.strip().upper()
    if word in _STOP:
        return False
    return True if word in _START else None
