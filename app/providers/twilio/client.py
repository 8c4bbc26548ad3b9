"""Calls through Twilio's SDK: creating messages, reading answers, and the reasons of failures.

Source: Twilio, Message resource. Only Twilio's own JSON counts as an answer; a proxy's page does
not.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import structlog
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from app.db.encryption import Cipher, DecryptionError
from app.providers.port import (
    Accepted,
    AccountRefused,
    NeverProcessed,
    Outbound,
    Outcome,
    ProviderAccount,
    ProviderUnknown,
    RefusalKind,
    Refused,
    Unconfirmed,
)
from app.providers.twilio.codes import (
    ERROR_CODES,
    MESSAGE_SID,
    SMALLEST_CODE,
    read_code,
    refusal_kind,
)
from app.providers.twilio.transport import NotConfirmed, NotConnected, ReadResponse, Throttled

API = "https://api.twilio.com"
STATUS_PATH = "/v1/webhook/twilio/sms-status"
INBOUND_PATH = "/v1/webhook/twilio/sms-inbound"
_OVERRIDES = "rc=5&rp=5xx,ct,rt"
_UNAUTHORIZED = (401, 403)
_UNREADABLE_ANSWER = (
    NotConnected,
    NotConfirmed,
    Throttled,
    TwilioException,
    DecryptionError,
    # The SDK raises these for JSON of another shape than Twilio's.
    AttributeError,
    TypeError,
    LookupError,
    ValueError,
    ArithmeticError,
    RecursionError,
)


class TwilioClients:
    """The clients of accounts; a changed token creates a new one."""

    def __init__(self, transport: HttpClient, cipher: Cipher) -> None:
        self._transport = transport
        self._cipher = cipher
        self._made = lru_cache(maxsize=1024)(self._make)

    def of(self, account: ProviderAccount) -> Client:
        """Raises `DecryptionError`."""
        return self._made(account)

    def token_of(self, account: ProviderAccount) -> str:
        """Raises `DecryptionError`."""
        return self._cipher.decrypt(account.sid, account.encrypted_auth_token)

    def ask(self, account: ProviderAccount, call: Callable[[Client], Any], *absent: int) -> Any:
        """Return what a call reads, None for these statuses; raises `ProviderUnknown`."""
        try:
            return call(self.of(account))
        except _UNREADABLE_ANSWER as problem:
            if isinstance(problem, TwilioRestException) and problem.status in absent:
                return None
            raise unknown(problem) from problem

    def _make(self, account: ProviderAccount) -> Client:
        return Client(account.sid, self.token_of(account), http_client=self._transport)


_log = structlog.get_logger(__name__)
_LONGEST_SENDER = 64
_ENDED = frozenset(["failed", "undelivered"])


class TwilioProvider:
    def __init__(self, clients: TwilioClients, public_url: str) -> None:
        self._clients = clients
        self._callback_url = public_url + STATUS_PATH

    def create(self, outbound: Outbound) -> Outcome:
        account = outbound.account
        try:
            client = self._clients.of(account)
        except DecryptionError as problem:
            _log.error("auth_token_unreadable", account_sid=account.sid, why=str(problem))
            return Refused(RefusalKind.PROVIDER_MISCONFIGURED, None)
        form = {
            "To": outbound.to_number,
            "MessagingServiceSid": outbound.messaging_service_sid,
            "Body": outbound.body,
            # Twilio's signature covers the query with the message's id.
            "StatusCallback": f"{self._callback_url}?message_id={outbound.message_id}#{_OVERRIDES}",
        }
        try:
            answer = client.request("POST", messages_url(account.sid), data=form)
        except NotConnected:
            return NeverProcessed()
        except Throttled as throttled:
            return NeverProcessed(throttled.retry_after_seconds)
        except NotConfirmed as failure:
            return Unconfirmed(type(failure).__name__)
        return _outcome_of(answer)


def messages_url(account_sid: str) -> str:
    return f"{API}/2010-04-01/Accounts/{account_sid}/Messages.json"


def read_json(answer: Response) -> Any:
    """None if it is not JSON."""
    if isinstance(answer, ReadResponse):
        return answer.found
    try:
        return json.loads(str(answer.text))
    except (ValueError, RecursionError):
        return None


def get_json(client: Client, url: str, params: dict[str, object] | None = None) -> Any:
    """Return None if it is not JSON; raises `TwilioException` if the status is not 200."""
    answer = client.request("GET", url, params=params)
    if answer.status_code != HTTPStatus.OK:
        raise TwilioException("not answered", answer)
    return read_json(answer)


def storable_sender(sender: object) -> str | None:
    is_storable = (
        isinstance(sender, str) and sender.isprintable() and len(sender) <= _LONGEST_SENDER
    )
    return str(sender) if is_storable and sender else None


def _outcome_of(answer: Response) -> Outcome:
    """Read an answer: of errors, only a 4xx with a code of Twilio's is a definite refusal."""
    found = read_json(answer)
    if not isinstance(found, dict):
        return Unconfirmed("an answer that is not Twilio's")
    status = answer.status_code
    if not 200 <= status < 300:  # noqa: PLR2004
        given = found.get("code")
        code = read_code(given) if isinstance(given, int) else None
        if 400 <= status < 500 and code is not None and code >= SMALLEST_CODE:  # noqa: PLR2004
            return Refused(refusal_kind(code), code)
        return Unconfirmed(f"HTTP {status} without a definite refusal")
    sid = found.get("sid")
    if not (isinstance(sid, str) and MESSAGE_SID.fullmatch(sid)):
        return Unconfirmed("an answer without a message SID")
    has_ended = found.get("status") in _ENDED
    code = read_code(found.get("error_code")) if has_ended else None
    if code is not None:
        return Refused(refusal_kind(code), code, sid)
    return Accepted(sid, storable_sender(found.get("from")), has_ended)


def unknown(problem: Exception) -> ProviderUnknown:
    """Name the reason of a call that failed, or of an answer that cannot be read."""
    match problem:
        case NotConnected():
            return ProviderUnknown("Twilio cannot be reached")
        case NotConfirmed():
            return ProviderUnknown("Twilio did not answer")
        case Throttled():
            return ProviderUnknown("Twilio answered 429: too many requests at once")
        case DecryptionError():
            return AccountRefused("the stored auth token cannot be decrypted")
        case TwilioException():
            return _refused(*said_by(problem))
        case _:
            return ProviderUnknown("Twilio's answer cannot be read")


def said_by(problem: Exception) -> tuple[object, object]:
    """Return the HTTP status and Twilio's code of an error answer; each may be None."""
    # Where a page of a list is refused, the SDK's exception holds the answer alone.
    for answer in problem.args:
        if isinstance(answer, Response):
            found = read_json(answer)
            code = read_code(found.get("code")) if isinstance(found, dict) else None
            is_code = code is not None and code >= SMALLEST_CODE
            return answer.status_code, code if is_code else None
    return getattr(problem, "status", None), getattr(problem, "code", None)


def _refused(status: object, code: object) -> ProviderUnknown:
    reason = next((one for one in (code, status) if isinstance(one, int)), None)
    why = "Twilio answered with an error" if reason is None else f"Twilio answered {reason}"
    if meaning := ERROR_CODES.meanings.get(reason or 0):
        why += f": {meaning.rstrip('.')}"
    if status in _UNAUTHORIZED or (
        isinstance(code, int) and refusal_kind(code) is RefusalKind.PROVIDER_MISCONFIGURED
    ):
        return AccountRefused(why, code if isinstance(code, int) else None)
    return ProviderUnknown(why)
