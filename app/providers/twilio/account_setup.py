"""Whether Twilio is set up as the gateway needs it: the account, its Messaging Services, callbacks.

Source: Twilio, Account and Messaging Services resources.
"""

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import urllib3
from twilio.base.exceptions import TwilioRestException

from app.providers.port import ProviderAccount, ServiceSetup, SetupUnknown
from app.providers.twilio.client import INBOUND_PATH, STATUS_PATH, TwilioClients
from app.providers.twilio.registrations import UNREADABLE_ANSWER
from app.providers.twilio.signature import sign

_REFUSED = frozenset({401, 403})
_NOT_FOUND = 404
_FORM = "application/x-www-form-urlencoded"
_PROBE_SECONDS = 10.0


class TwilioSetup:
    """Reads an account and its Messaging Services; changes nothing."""

    def __init__(self, clients: TwilioClients) -> None:
        self._clients = clients

    def account_status(self, account: ProviderAccount) -> str | None:
        """Return the account's status in Twilio's word; None if Twilio refuses the credentials.

        Raises:
            SetupUnknown: Twilio could not be asked.
        """
        try:
            found = self._clients.of(account).api.v2010.accounts(account.sid).fetch()
        except TwilioRestException as problem:
            if problem.status in _REFUSED:
                return None
            raise SetupUnknown(_why(problem)) from problem
        except UNREADABLE_ANSWER as problem:
            raise SetupUnknown(_why(problem)) from problem
        return str(found.status)

    def service(self, account: ProviderAccount, service_sid: str) -> ServiceSetup | None:
        """Return a Messaging Service; None if the account has none with this SID.

        Raises:
            SetupUnknown: Twilio could not be asked.
        """
        try:
            service = self._clients.of(account).messaging.v1.services(service_sid)
            found = service.fetch()
            has_senders = _has_senders(service)
        except TwilioRestException as problem:
            if problem.status == _NOT_FOUND:
                return None
            raise SetupUnknown(_why(problem)) from problem
        except UNREADABLE_ANSWER as problem:
            raise SetupUnknown(_why(problem)) from problem
        is_on_numbers = bool(found.use_inbound_webhook_on_number)
        url = None if is_on_numbers else found.inbound_request_url
        return ServiceSetup(has_senders, url, is_on_numbers)


def _has_senders(service: Any) -> bool:
    for pool in (service.phone_numbers, service.short_codes, service.alpha_senders):
        if pool.list(limit=1):
            return True
    return False


def inbound_url_of(public_url: str) -> str:
    """Return the address that Twilio must call for what recipients write."""
    return public_url + INBOUND_PATH


def probe_callback(public_url: str, account_sid: str, auth_token: str) -> int:
    """Post a signed status callback about no message to the public URL; return the HTTP status.

    Raises:
        SetupUnknown: no answer came.
    """
    target = f"{public_url}{STATUS_PATH}?message_id={uuid4()}"
    form = {"AccountSid": account_sid, "MessageSid": f"SM{'0' * 32}", "MessageStatus": "queued"}
    signature = sign(auth_token, target, {name: [value] for name, value in form.items()})
    try:
        answer = urllib3.request(
            "POST",
            target,
            body=urlencode(form),
            headers={"X-Twilio-Signature": signature, "Content-Type": _FORM},
            timeout=_PROBE_SECONDS,
            retries=False,
            redirect=False,
        )
    except urllib3.exceptions.HTTPError as problem:
        raise SetupUnknown(type(problem).__name__) from problem
    return answer.status


def _why(problem: Exception) -> str:
    code = getattr(problem, "code", None)
    return type(problem).__name__ if code is None else f"Twilio answered {code}"
