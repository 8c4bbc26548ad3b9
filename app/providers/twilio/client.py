"""Creating messages through Twilio's SDK, and reading the answer as an outcome.

Source: Twilio, Message resource. Only Twilio's own JSON counts as an answer; a proxy's page does
not.
"""

import json
from functools import lru_cache
from importlib import import_module
from uuid import UUID

import structlog
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http import HttpClient
from twilio.rest import Client

from app.db.encryption import Cipher, DecryptionError
from app.providers.port import (
    Accepted,
    NeverProcessed,
    Outbound,
    Outcome,
    ProviderAccount,
    RefusalKind,
    Refused,
    Unconfirmed,
)
from app.providers.twilio.codes import MESSAGE_SID, SMALLEST_CODE, read_code, refusal_kind
from app.providers.twilio.transport import (
    NotConfirmed,
    NotConnected,
    Throttled,
)

STATUS_PATH = "/v1/webhook/twilio/sms-status"
INBOUND_PATH = "/v1/webhook/twilio/sms-inbound"
_OVERRIDES = "rc=5&rp=5xx,ct,rt"


def load_sdk() -> None:
    """Load the parts of the SDK that a send needs, before the fork."""
    import_module("twilio.rest.api")


class TwilioClients:
    """Hands out the client of an account; a changed token makes a new one."""

    def __init__(self, transport: HttpClient, cipher: Cipher) -> None:
        self._transport = transport
        self._cipher = cipher
        self._made = lru_cache(maxsize=1024)(self._make)

    def of(self, account: ProviderAccount) -> Client:
        """Return the client that acts as an account, with that account's own token.

        Raises:
            DecryptionError: the stored token cannot be decrypted.
        """
        return self._made(account)

    def token_of(self, account: ProviderAccount) -> str:
        """Return an account's token, or raise `DecryptionError`."""
        return self._cipher.decrypt(account.sid, account.encrypted_auth_token)

    def _make(self, account: ProviderAccount) -> Client:
        return Client(account.sid, self.token_of(account), http_client=self._transport)


_log = structlog.get_logger(__name__)
_LONGEST_SENDER = 64
_ENDED = frozenset(["failed", "undelivered"])
_FAILURES = (NotConnected, Throttled, NotConfirmed, TwilioException, json.JSONDecodeError)


class TwilioProvider:
    """The port `app.providers.port.SmsProvider` over Twilio."""

    def __init__(self, clients: TwilioClients, public_url: str) -> None:
        self._clients = clients
        self._callback_url = public_url + STATUS_PATH

    def create(self, outbound: Outbound) -> Outcome:
        """Try once to create a message."""
        try:
            client = self._clients.of(outbound.account)
        except DecryptionError as problem:
            _log.error("auth_token_unreadable", account_sid=outbound.account.sid, why=str(problem))
            return Refused(RefusalKind.PROVIDER_MISCONFIGURED, None)
        try:
            message = client.api.v2010.account.messages.create(
                to=outbound.to_number,
                messaging_service_sid=outbound.messaging_service_sid,
                body=outbound.body,
                status_callback=self._status_callback(outbound.message_id),
            )
        except _FAILURES as failure:
            return _outcome_of(failure)
        if not (isinstance(message.sid, str) and MESSAGE_SID.fullmatch(message.sid)):
            return Unconfirmed("an answer without a message SID")
        has_ended = message.status in _ENDED
        code = read_code(message.error_code) if has_ended else None
        if code is not None:
            return Refused(refusal_kind(code), code, message.sid)
        return Accepted(message.sid, storable_sender(message.from_), has_ended)

    def _status_callback(self, message_id: UUID) -> str:
        """Return the URL that carries a message's id; its query is covered by the signature."""
        return f"{self._callback_url}?message_id={message_id}#{_OVERRIDES}"


def storable_sender(sender: object) -> str | None:
    """Return a sender as far as it can be stored."""
    is_storable = (
        isinstance(sender, str) and sender.isprintable() and len(sender) <= _LONGEST_SENDER
    )
    return str(sender) if is_storable and sender else None


def _outcome_of(failure: Exception) -> Outcome:
    match failure:
        case NotConnected():
            return NeverProcessed()
        case Throttled():
            return NeverProcessed(failure.retry_after_seconds)
        case TwilioRestException() | TwilioServiceException():
            return _refusal(failure.status, failure.code)
        case _:
            return Unconfirmed(type(failure).__name__)


def _refusal(status: object, code: object) -> Outcome:
    """Read an error answer: only a 4xx with a code of Twilio's is a definite refusal."""
    is_refusal = isinstance(status, int) and 400 <= status < 500  # noqa: PLR2004
    if is_refusal and isinstance(code, int) and code >= SMALLEST_CODE:
        return Refused(refusal_kind(code), code)
    return Unconfirmed(f"HTTP {status} without a definite refusal")
