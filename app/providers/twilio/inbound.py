"""``POST /v1/webhook/twilio/sms-inbound``: STOP and START of recipients.

Source: Twilio, default opt-out keywords. The whole text must be the keyword. Twilio replies to the
recipient itself, so the answer is empty TwiML.
"""

import structlog
from flask import Response

from app.kernel import errors as e
from app.kernel.phone import PhoneNumber
from app.kernel.provider_sids import canonical_sid
from app.providers.port import Consent, Handlers
from app.providers.twilio.client import INBOUND_PATH
from app.providers.twilio.signed_form import SIGNATURE_HEADER, SignedByTwilio, SignedForm
from app.web.registry import get_service
from app.web.routes import Answer, Routes

_log = structlog.get_logger(__name__)
_STOP = frozenset(["STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"])
_START = frozenset(["START", "UNSTOP", "YES"])
_EXAMPLE = {
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
    INBOUND_PATH,
    SignedByTwilio(),
    {200: "text/xml"},
    form=_EXAMPLE,
    headers=SIGNATURE_HEADER,
    errors=(e.UnsupportedMediaType, e.Forbidden, e.PayloadTooLarge, e.ServiceUnavailable),
)
def sms_inbound(signed: SignedForm) -> Answer:
    """Take an inbound message: STOP and START keep the opt-out list."""
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
        changed = get_service(Handlers).consent(consent)
        _log.info("consent", wants_messages=wants, lists_changed=changed)
    return Response('<?xml version="1.0" encoding="UTF-8"?><Response/>', mimetype="text/xml")


def _sender(signed: SignedForm) -> str | None:
    """Return our number, or the short code or name that the recipient answered."""
    sender = signed.text("To")
    return None if sender is None else PhoneNumber.parse(sender) or sender


def wanted_messages(signed: SignedForm) -> bool | None:
    """Return whether the keyword asks for messages; None if it is no keyword."""
    word = signed.text("OptOutType") or signed.text("Body", limit=1600) or ""
    word = word.strip().upper()
    if word in _STOP:
        return False
    return True if word in _START else None
