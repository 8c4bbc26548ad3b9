"""Twilio passes the contract of providers, over the real SDK."""

import json
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import pytest
from twilio.http.response import Response

from app.db.encryption import Cipher
from app.providers.port import (
    Charge,
    Consent,
    CountryPrices,
    DeliveryReport,
    ProviderAccount,
    ProviderMessage,
    RefusalKind,
    Status,
    WantedPermission,
)
from app.providers.twilio.adapter import open_twilio
from app.providers.twilio.callbacks import routes
from app.providers.twilio.client import INBOUND_PATH, STATUS_PATH
from app.providers.twilio.signature import sign
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled
from providers.contract import (
    AT,
    CAMPAIGN,
    FOUND,
    PUBLIC_URL,
    ArrangedProvider,
    Post,
    ProviderContract,
    Trouble,
)
from support.factories import ACCOUNT, AUTH_TOKEN, SERVICE_SID
from support.fake_twilio import Answer, FakeTwilio, accepted, refused

SID = FOUND.message_sid
CODES = {
    RefusalKind.INVALID_DESTINATION: 21211,
    RefusalKind.DESTINATION_BLOCKED: 21408,
    RefusalKind.RECIPIENT_OPTED_OUT: 21610,
    RefusalKind.NO_SENDER_NUMBER: 21703,
    RefusalKind.PROVIDER_MISCONFIGURED: 21705,
    RefusalKind.MESSAGE_REJECTED: 29999,
}
WORDS = {
    Status.PENDING: "queued",
    Status.SENT: "sent",
    Status.DELIVERED: "delivered",
    Status.UNDELIVERED: "undelivered",
    Status.FAILED: "canceled",
}
TROUBLES: dict[Trouble, Response | Exception] = {
    Trouble.NOT_CONNECTED: NotConnected("refused"),
    Trouble.THROTTLED: Throttled(1.0),
    Trouble.NO_ANSWER: NotConfirmed("timeout"),
    Trouble.SERVER_ERROR: refused(20500, 500),
    Trouble.UNREADABLE: Response(200, "<html>"),
    Trouble.TOKEN_REFUSED: refused(20003, 401),
}


class ArrangedTwilio(ArrangedProvider):
    def __init__(self, cipher: Cipher) -> None:
        self.twilio = FakeTwilio()
        self.provider = open_twilio(self.twilio, cipher, PUBLIC_URL)
        self.account = ProviderAccount(ACCOUNT, cipher.encrypt(ACCOUNT, AUTH_TOKEN))
        self.routes = routes

    def _answers(self, *answers: Answer) -> None:
        self.twilio.script[:] = answers

    def breaks(self, trouble: Trouble) -> None:
        answer = TROUBLES[trouble]

        def of_account(_sid: str, _token: str) -> Response:
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.twilio.account = of_account
        self._answers(answer)

    def accepts(self) -> str:
        self._answers(accepted(1))
        return f"SM{1:032x}"

    def refuses(self, kind: RefusalKind) -> int:
        self._answers(refused(CODES[kind]))
        return CODES[kind]

    def fails_at_once(self, kind: RefusalKind | None) -> tuple[str, int | None]:
        code = None if kind is None else CODES[kind]
        self._answers(accepted(1, status="failed", error_code=code))
        return f"SM{1:032x}", code

    def created(self) -> tuple[UUID, str, str, str]:
        sent = self.twilio.calls[-1].data
        (message_id,) = parse_qs(urlsplit(sent["StatusCallback"]).query)["message_id"]
        return UUID(message_id), sent["MessagingServiceSid"], sent["To"], sent["Body"]

    def has(self, found: ProviderMessage) -> None:
        one = {
            "sid": found.message_sid,
            "messaging_service_sid": found.messaging_service_sid,
            "to": found.to_number,
            "from": found.from_number,
            "body": found.body,
            "status": found.provider_status,
            "error_code": found.error_code,
            "num_segments": str(found.num_segments),
            "date_created": format_datetime(AT),
            "date_sent": format_datetime(AT),
        }
        self._answers(_json(one | {"messages": [one], "next_page_uri": None}))

    def word_of(self, status: Status) -> str:
        return WORDS[status]

    def code_of(self, kind: RefusalKind) -> int:
        return CODES[kind]

    def has_no_message(self) -> None:
        self._answers(refused(20404, 404))

    def charges(self, charge: Charge) -> None:
        one = {"sid": charge.message_sid, "status": "sent", "to": FOUND.to_number}
        priced = one | {"price": charge.price, "price_unit": charge.price_unit}
        unpriced = one | {"sid": "SM" + "3" * 32, "price": None}
        self._answers(_json({"messages": [priced, unpriced], "next_page_uri": None}))

    def permits(self, **countries: bool) -> None:
        self._answers(_permissions(enabled=countries))

    def opens_all_but(self, country: str, wanted: list[WantedPermission]) -> None:
        codes = {one.country: 30649 if one.country == country else 0 for one in wanted}
        self._answers(_permissions(error_code=codes))

    def has_registrations(self, brand: str, campaign: str) -> None:
        listed = [{"sid": CAMPAIGN, "campaign_status": campaign}]
        meta = {"key": "compliance", "next_page_url": None}
        self._answers(_json({"status": brand, "compliance": listed, "meta": meta}))

    def has_prices(self, prices: CountryPrices | None) -> None:
        if prices is None:
            self._answers(refused(20404, 404))
            return
        networks = [
            {
                "mcc": one.mccmnc[:3],
                "mnc": one.mccmnc[3:],
                "prices": [{"current_price": str(one.price), "number_type": "local"}],
            }
            for one in prices.networks
        ]
        self._answers(_json({"price_unit": prices.currency, "outbound_sms_prices": networks}))

    def has_account(self, *, is_active: bool) -> None:
        status = "active" if is_active else "suspended"
        self.twilio.account = lambda sid, _: _json({"sid": sid, "status": status})

    def has_service(self, *, has_senders: bool) -> None:
        meta = {"key": "senders", "next_page_url": None}
        pool = _json({"senders": [{"sid": "PN1"}] if has_senders else [], "meta": meta})
        self._answers(_json({"sid": SERVICE_SID}), pool, pool, pool)

    def report(self, report: DeliveryReport) -> Post:
        form = {
            "AccountSid": report.account_sid,
            "MessageSid": report.message_sid,
            "From": report.from_number or "",
            "ErrorCode": str(report.error_code or ""),
            "MessageStatus": report.provider_status,
        }
        return _signed(f"{STATUS_PATH}?message_id={report.message_id}", form)

    def inbound(self, text: str, consent: Consent) -> Post:
        form = {
            "AccountSid": consent.account_sid,
            "MessageSid": consent.message_sid or "",
            "MessagingServiceSid": consent.messaging_service_sid or "",
            "From": consent.recipient,
            "To": consent.sender or "",
            "Body": text,
        }
        return _signed(INBOUND_PATH, form)


def _json(found: dict[str, Any]) -> Response:
    return Response(200, json.dumps(found))


def _permissions(**fields: dict[str, Any]) -> Response:
    entries = [
        {"country_code": country, "type": "country", name: value}
        for name, values in fields.items()
        for country, value in values.items()
    ]
    return _json({"permissions": entries})


def _signed(path: str, form: dict[str, str]) -> Post:
    signature = sign(AUTH_TOKEN, PUBLIC_URL + path, {name: [form[name]] for name in form})
    headers = {
        "X-Twilio-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return Post(path, urlencode(form).encode(), headers)


class TestTwilio(ProviderContract):
    @pytest.fixture
    def arranged(self, cipher: Cipher) -> ArrangedProvider:
        return ArrangedTwilio(cipher)
