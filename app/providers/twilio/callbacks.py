"""What Twilio posts, each a form signed for our URL: status callbacks, and recipients' texts.

The signed URL is the public URL with the raw path and query, never the Host header, which anyone
may forge. Source: Twilio, default opt-out keywords: the whole text must be the keyword. Twilio
replies to the recipient itself, so the answer to an inbound message is empty TwiML.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus

import structlog
from flask import request

from app.kernel import errors as e
from app.kernel.ids import canonical_sid, parse_id
from app.kernel.phone import PhoneNumber
from app.kernel.rates import Rate, RateBuckets
from app.kernel.whole_numbers import read_whole_number
from app.providers.port import Callbacks, Consent, DeliveryReport
from app.providers.twilio.client import INBOUND_PATH, STATUS_PATH
from app.providers.twilio.codes import MESSAGE_SID, refusal_kind, status_of
from app.providers.twilio.signature import is_signed_by
from app.web.bodies import media_type, read_bytes
from app.web.dispatch import current_request
from app.web.metrics import CALLBACKS
from app.web.registry import get_service
from app.web.requests import address_group, peer_address
from app.web.routes import Answer, BufferedAnswer, Routes

_log = structlog.get_logger(__name__)
SIGNATURE_HEADER = {
    "X-Twilio-Signature": "Twilio's signature over the public URL and the form, made with the "
    "auth token of the account"
}
_NOTHING = ("",)
_ASCII = {f"{code:02{case}}": chr(code) for code in range(128) for case in "xX"}
_FORM = "application/x-www-form-urlencoded"
# This header announces signing with a shared key (SHA-256, a Twilio beta), which we do not
# have, so the refusal is logged with this reason.
_OTHER_SIGNING = "X-Twilio-Webhooks-Signature-Settings"

# Above this rate, wrong signatures of an address are only refused, not diagnosed.
_DIAGNOSES = Rate(per_second=1, burst=20)
_STOP = frozenset(["STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"])
_START = frozenset(["START", "UNSTOP", "YES"])
_SIGNED: dict[str, Any] = {
    "headers": SIGNATURE_HEADER,
    "errors": (e.UnsupportedMediaType, e.Forbidden, e.PayloadTooLarge, e.ServiceUnavailable),
}
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


@dataclass(frozen=True, slots=True)
class SignedForm:
    account_sid: str
    form: Mapping[str, Sequence[str]]

    def text(self, *names: str, limit: int = 64) -> str | None:
        """Return the first given parameter, cut to the stored length."""
        for name in names:
            value = self.form.get(name, _NOTHING)[0].replace("\x00", "").strip()
            if value:
                return value[:limit]
        return None

    def number(self, name: str) -> int | None:
        """Return a parameter as a storable whole number."""
        value = self.text(name)
        return None if value is None else read_whole_number(value)


@dataclass(frozen=True, slots=True)
class SignedByTwilio:
    """Guard: the request must be signed with the token of its account."""

    rule: str = "Twilio's signature"

    def __call__(self) -> SignedForm:
        """Raises `UnsupportedMediaType`, `Forbidden` or `ServiceUnavailable`."""
        environ = current_request().environ
        if media_type(environ) != _FORM:
            raise e.UnsupportedMediaType(f"Callbacks are {_FORM}.")
        form = read_form(read_bytes(environ).decode("utf-8", "replace"))
        account_sid = canonical_sid(form.get("AccountSid", _NOTHING)[0])
        signature: str = environ.get("HTTP_X_TWILIO_SIGNATURE", "")
        callbacks = get_service(Callbacks)
        tokens = callbacks.tokens
        known = tokens.kept(account_sid) if signature else ()
        if not known:
            raise _refused("unknown_account" if signature else "signature_missing")
        url = callbacks.public_url + raw_target(environ)
        if not is_signed_by(known, url, form, signature):
            known = tokens.fresh(account_sid)
            if not is_signed_by(known, url, form, signature):
                if _may_diagnose():
                    _diagnose(known, form, signature)
                raise _refused("signature_wrong")
        return SignedForm(account_sid, form)


def read_form(text: str) -> dict[str, list[str]]:
    """Decode a form or a query as `urllib.parse.parse_qs` does with blank values, but faster.

    Most of Twilio's parameters have nothing to decode.
    """
    form: dict[str, list[str]] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name, value = _decode(name), _decode(value)
        if pair:
            form.setdefault(name, []).append(value)
    return form


def _decode(text: str) -> str:
    """Decode as `urllib.parse.unquote_plus` does, with fewer calls if all of it is ASCII."""
    first, *parts = text.replace("+", " ").split("%")
    try:
        return first + "".join([_ASCII[part[:2]] + part[2:] for part in parts])
    except KeyError:
        return unquote_plus(text)


def _may_diagnose() -> bool:
    """Limited by address, because it checks many signatures."""
    name = f"wrong signature {address_group(peer_address())}".encode()
    return not get_service(RateBuckets).take(name, _DIAGNOSES).is_refused


def raw_target(environ: Mapping[str, Any]) -> str:
    """Return path and query exactly as received."""
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if raw is None:
        query = environ.get("QUERY_STRING", "")
        raw = quote(environ.get("PATH_INFO", ""), safe="/") + (f"?{query}" if query else "")
    if not raw.startswith("/"):  # absolute form, as sent to a proxy
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    prefix = environ.get("borderpost.stripped_prefix", "")
    return str(raw).removeprefix(prefix).encode("latin-1", "replace").decode("utf-8", "replace")


def _refused(why: str) -> e.Forbidden:
    CALLBACKS.labels(why).inc()
    _log.warning("callback_refused", why=why)
    return e.Forbidden("The request is not signed by a known account for this URL.")


def _diagnose(
    tokens: Iterable[str], parameters: Mapping[str, Sequence[str]], signature: str
) -> None:
    """Log the public URL that would match the signature."""
    target = raw_target(request.environ)
    path, mark, query = target.partition("?")
    other_slash = path[:-1] if path.endswith("/") else path + "/"
    if request.headers.get(_OTHER_SIGNING):
        _log.warning("callback_signed_with_shared_key", remedy="sign with the auth token")
    for base in _other_bases():
        for tried in (target, other_slash + mark + query):
            if is_signed_by(tokens, base + tried, parameters, signature):
                hint = f"would have matched {base}{tried.partition('?')[0]}"
                _log.warning(
                    "callback_signed_for_other_url", hint=f"{hint}: set BORDERPOST_PUBLIC_URL"
                )
                return


def _other_bases() -> list[str]:
    configured = get_service(Callbacks).public_url
    hosts = [
        request.headers.get("Host", ""),
        request.headers.get("X-Forwarded-Host", "").split(",")[0].strip(),
        configured.partition("://")[2].partition("/")[0],
    ]
    prefix = configured.partition("://")[2].partition("/")
    paths = ["", prefix[1] + prefix[2], request.headers.get("X-Forwarded-Prefix", "").rstrip("/")]
    bases = [
        f"{scheme}://{host}{path if path.startswith('/') else ''}"
        for host in hosts
        if host
        for scheme in ("https", "http")
        for path in paths
    ]
    return list(dict.fromkeys([configured, *bases]))


routes = Routes("Twilio webhooks", ignores_unknown=True)


@routes.add("POST", STATUS_PATH, SignedByTwilio(), {204: None}, form=_REPORT, **_SIGNED)
def sms_status(signed: SignedForm) -> Answer:
    """Receive a status callback; duplicates and unknown messages are acknowledged."""
    get_service(Callbacks).report(read_report(signed))
    return BufferedAnswer(status=204, mimetype="text/plain")


def read_report(signed: SignedForm) -> DeliveryReport | None:
    """None without a message or a status."""
    message_sid = signed.text("MessageSid", "SmsSid")
    status = signed.text("MessageStatus", "SmsStatus", limit=40)
    if message_sid is None or status is None or not MESSAGE_SID.fullmatch(message_sid):
        return None
    error_code = signed.number("ErrorCode") or None
    query = read_form(current_request().environ.get("QUERY_STRING", ""))
    return DeliveryReport(
        account_sid=signed.account_sid,
        message_sid=message_sid,
        message_id=parse_id(query.get("message_id", _NOTHING)[0]),
        status=status_of(status),
        provider_status=status,
        error_code=error_code,
        from_number=signed.text("From"),
        num_segments=signed.number("NumSegments") or None,
        meaning=None if error_code is None else refusal_kind(error_code),
        is_signed=True,
    )


@routes.add("POST", INBOUND_PATH, SignedByTwilio(), {200: "text/xml"}, form=_INBOUND, **_SIGNED)
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
    return BufferedAnswer('<?xml version="1.0" encoding="UTF-8"?><Response/>', mimetype="text/xml")


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
