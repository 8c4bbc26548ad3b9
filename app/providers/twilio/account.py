"""The account at Twilio: the proof of its token, its set-up, and its registrations.

Source: Twilio, Account, Messaging Services, BrandRegistrations and Usa2p resources. All but the
first act on the authenticating account, so a subaccount uses its own token.
"""

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import structlog
import urllib3
from twilio.http import HttpClient
from twilio.rest import Client

from app.db.encryption import DecryptionError
from app.kernel.errors import ProviderUnavailable
from app.kernel.ids import canonical_sid
from app.providers.port import AccountState, ProviderAccount, ProviderUnknown, ServiceSetup
from app.providers.twilio.client import (
    API,
    INBOUND_PATH,
    STATUS_PATH,
    TwilioClients,
    read_json,
    unknown,
)
from app.providers.twilio.signature import sign
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled

_log = structlog.get_logger(__name__)
_REFUSED = frozenset({401, 403})
_NOT_FOUND = 404
_OK = 200
_FORM = "application/x-www-form-urlencoded"
_PROBE_SECONDS = 10.0
_NOT_ASKED = "Twilio could not be asked about the account. Nothing was changed; try again."


class TwilioProof:
    def __init__(self, transport: HttpClient) -> None:
        self._transport = transport

    def accepts(self, account_sid: str, auth_token: str) -> bool:
        """Whether Twilio shows the account for this token; raises `ProviderUnavailable`."""
        client = Client(account_sid, auth_token, http_client=self._transport)
        try:
            answer = client.request("GET", f"{API}/2010-04-01/Accounts/{account_sid}.json")
        except (NotConnected, NotConfirmed, Throttled) as problem:
            raise _not_asked(type(problem).__name__) from problem
        if answer.status_code in _REFUSED or answer.status_code == _NOT_FOUND:
            return False
        account = read_json(answer)
        is_account = answer.status_code == _OK and isinstance(account, dict)
        if not is_account or canonical_sid(str(account.get("sid"))) != account_sid:
            raise _not_asked(f"HTTP {answer.status_code}")
        return True


def _not_asked(why: str) -> ProviderUnavailable:
    _log.warning("account_not_proven", why=why)
    return ProviderUnavailable(message=_NOT_ASKED)


class TwilioSetup:
    def __init__(self, clients: TwilioClients, public_url: str) -> None:
        self._clients = clients
        self._public_url = public_url

    @property
    def inbound_url(self) -> str:
        return self._public_url + INBOUND_PATH

    def account_state(self, account: ProviderAccount) -> AccountState | None:
        found = self._clients.ask(
            account, lambda it: it.api.v2010.accounts(account.sid).fetch(), *_REFUSED
        )
        return None if found is None else AccountState(found.status, found.status == "active")

    def service(self, account: ProviderAccount, service_sid: str) -> ServiceSetup | None:
        def call(client: Client) -> ServiceSetup:
            service = client.messaging.v1.services(service_sid)
            found = service.fetch()
            pools = service.phone_numbers, service.short_codes, service.alpha_senders
            has_senders = any(pool.list(limit=1) for pool in pools)
            is_on_numbers = bool(found.use_inbound_webhook_on_number)
            url = None if is_on_numbers else found.inbound_request_url
            return ServiceSetup(has_senders, url, is_on_numbers)

        setup: ServiceSetup | None = self._clients.ask(account, call, _NOT_FOUND)
        return setup

    def probe_callback(self, account: ProviderAccount) -> int:
        """Raises `ProviderUnknown`, also if the stored token cannot be decrypted."""
        target = f"{self._public_url}{STATUS_PATH}?message_id={uuid4()}"
        form = {"AccountSid": account.sid, "MessageSid": f"SM{'0' * 32}", "MessageStatus": "queued"}
        parameters = {name: [value] for name, value in form.items()}
        try:
            signature = sign(self._clients.token_of(account), target, parameters)
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
            raise ProviderUnknown(type(problem).__name__) from problem
        except DecryptionError as problem:
            raise unknown(problem) from problem
        return answer.status


class TwilioRegistrations:
    def __init__(self, clients: TwilioClients) -> None:
        self._clients = clients

    def brand_status(self, account: ProviderAccount, brand_sid: str) -> str:
        brand = self._clients.ask(
            account, lambda it: it.messaging.v1.brand_registrations(brand_sid).fetch()
        )
        return str(brand.status)

    def campaign_status(
        self, account: ProviderAccount, messaging_service_sid: str, campaign_sid: str
    ) -> str:
        """Also raises `ProviderUnknown` if Twilio lists no such campaign."""

        def call(client: Client) -> Any:
            service = client.messaging.v1.services(messaging_service_sid)
            return service.us_app_to_person.list(limit=100)

        for campaign in self._clients.ask(account, call):
            if campaign.sid == campaign_sid:
                return str(campaign.campaign_status)
        raise ProviderUnknown("the Messaging Service lists no such campaign: correct its SID")
