"""``POST /v1/webhook/twilio/sms-status``: Twilio's form as a delivery report.

Answers 204 after the commit only, and 503 for failures here, so that Twilio tries again.
"""

import structlog
from flask import Response, request

from app.kernel import errors as e
from app.kernel.ids import parse_id
from app.providers.port import DeliveryReport, Handlers
from app.providers.twilio.client import STATUS_PATH, is_message_sid
from app.providers.twilio.codes import refusal_kind
from app.providers.twilio.signed_form import SIGNATURE_HEADER, SignedByTwilio, SignedForm
from app.web.metrics import CALLBACKS
from app.web.registry import get_service
from app.web.routes import Answer, Routes

_log = structlog.get_logger(__name__)
_EXAMPLE = {
    "AccountSid": "AC" + "0" * 32,
    "MessageSid": "SM" + "0" * 32,
    "MessageStatus": "undelivered",
    "ErrorCode": "30005",
    "From": "+12025550100",
}

routes = Routes("Twilio webhooks")


@routes.add(
    "POST",
    STATUS_PATH,
    SignedByTwilio(),
    {204: None},
    form=_EXAMPLE,
    headers=SIGNATURE_HEADER,
    errors=(e.UnsupportedMediaType, e.Forbidden, e.PayloadTooLarge, e.ServiceUnavailable),
)
def sms_status(signed: SignedForm) -> Answer:
    """Take a status callback of Twilio's; duplicates and unknown messages are acknowledged."""
    report = read_report(signed)
    advanced = None
    try:
        advanced = None if report is None else get_service(Handlers).report(report)
    except e.ServiceUnavailable:
        CALLBACKS.labels("unavailable").inc()
        raise
    except Exception as defect:
        # Not a 500: after a 503 Twilio tries again, and the status is not lost.
        _log.exception("callback_failed")
        CALLBACKS.labels("failed").inc()
        raise e.ServiceUnavailable from defect
    if advanced is None:
        end = "unmatched"
    elif advanced.applied:
        end = "applied"
    else:
        end = advanced.reason or "noted"
    CALLBACKS.labels(end).inc()
    _log.info(
        "callback",
        end=end,
        message_id=None if advanced is None else str(advanced.message_id),
        provider_status=None if report is None else report.provider_status,
        error_code=None if report is None else report.error_code,
    )
    return Response(status=204)


def read_report(signed: SignedForm) -> DeliveryReport | None:
    """Read a delivery report; None if the form names no message or no status."""
    message_sid = signed.text("MessageSid", "SmsSid")
    status = signed.text("MessageStatus", "SmsStatus", limit=40)
    if message_sid is None or status is None or not is_message_sid(message_sid):
        return None
    error_code = signed.number("ErrorCode") or None
    return DeliveryReport(
        account_sid=signed.account_sid,
        message_sid=message_sid,
        message_id=parse_id(request.args.get("message_id", "")),
        provider_status=status,
        error_code=error_code,
        from_number=signed.text("From"),
        num_segments=signed.number("NumSegments") or None,
        meaning=None if error_code is None else refusal_kind(error_code),
        is_signed=True,
    )
