"""A second provider: it passes the contract, and the whole gateway runs on it."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.application import create_app
from app.bootstrap import open_services
from app.db.encryption import Cipher
from app.db.engine import Database
from app.messages.delivery.track import TrackDelivery
from app.messages.reconciliation.reconcile import AccountPace, Reconcile
from app.messages.reconciliation.resend import Resend
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
from providers.contract import (
    BRAND,
    CAMPAIGN,
    FOUND,
    PUBLIC_URL,
    ArrangedProvider,
    Post,
    ProviderContract,
    Trouble,
)
from providers.pigeon.adapter import (
    CALLBACK_PATH,
    CODES,
    SIGNATURE,
    STATUSES,
    open_pigeon,
    routes,
    signature_of,
)
from support.factories import ACCOUNT, AUTH_TOKEN, Gateway, Tenant
from support.fake_twilio import FakeTwilio
from support.signed_route import serve_callbacks
from support.time import ManualClock

WORDS = {status: word for word, status in STATUSES.items()}
CODE_OF = {kind: code for code, kind in CODES.items()} | {RefusalKind.MESSAGE_REJECTED: 999}
TROUBLES: dict[Trouble, Any] = {
    Trouble.NOT_CONNECTED: ConnectionRefusedError(),
    Trouble.THROTTLED: (429, None),
    Trouble.NO_ANSWER: TimeoutError(),
    Trouble.SERVER_ERROR: (500, {"code": 105}),
    Trouble.UNREADABLE: (200, "<html>"),
    Trouble.TOKEN_REFUSED: (401, {}),
}


class ArrangedPigeon(ArrangedProvider):
    def __init__(self, cipher: Cipher) -> None:
        self.provider = open_pigeon(self.exchange, cipher, PUBLIC_URL)
        self.account = ProviderAccount(ACCOUNT, cipher.encrypt(ACCOUNT, AUTH_TOKEN))
        self.routes = routes
        self.answer: Any = (404, None)
        self.sent: list[dict[str, str]] = []

    def exchange(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
        """Play Pigeon: any path has the one answer, but for what it does not know."""
        assert token == AUTH_TOKEN
        if method == "POST":
            self.sent.append(body)
        if isinstance(self.answer, Exception):
            raise self.answer
        if path.endswith("QE" + "0" * 32):
            return 404, None
        if isinstance(self.answer, dict):
            return 200, self.answer[path]
        found: tuple[int, Any] = self.answer
        return found

    def breaks(self, trouble: Trouble) -> None:
        self.answer = TROUBLES[trouble]

    def accepts(self) -> str:
        self.answer = (200, {"id": "PG1", "status": "loft", "code": None})
        return "PG1"

    def refuses(self, kind: RefusalKind) -> int:
        self.answer = (422, {"code": CODE_OF[kind]})
        return CODE_OF[kind]

    def fails_at_once(self, kind: RefusalKind | None) -> tuple[str, int | None]:
        code = None if kind is None else CODE_OF[kind]
        self.answer = (200, {"id": "PG1", "status": "grounded", "code": code})
        return "PG1", code

    def created(self) -> tuple[UUID, str, str, str]:
        sent = self.sent[-1]
        return UUID(sent["reference"]), sent["service"], sent["to"], sent["text"]

    def has(self, found: ProviderMessage) -> None:
        one = as_pigeon(found)
        self.answer = (200, one | {"messages": [one]})

    def word_of(self, status: Status) -> str:
        return WORDS[status]

    def code_of(self, kind: RefusalKind) -> int:
        return CODE_OF[kind]

    def has_no_message(self) -> None:
        self.answer = (404, None)

    def charges(self, charge: Charge) -> None:
        priced = replace(FOUND, price=charge.price, price_unit=charge.price_unit)
        self.answer = (200, {"messages": [as_pigeon(priced), as_pigeon(FOUND)]})

    def permits(self, **countries: bool) -> None:
        self.answer = (200, {"open": countries})

    def opens_all_but(self, country: str, wanted: list[WantedPermission]) -> None:
        self.permits(**{one.country: one.country != country for one in wanted})

    def has_registrations(self, brand: str, campaign: str) -> None:
        self.answer = {
            f"/registrations/{BRAND}": {"status": brand},
            f"/registrations/{CAMPAIGN}": {"status": campaign},
        }

    def has_prices(self, prices: CountryPrices | None) -> None:
        self.answer = (404, None)
        if prices is not None:
            listed = {one.mccmnc: str(one.price) for one in prices.networks}
            self.answer = (200, {"currency": prices.currency, "prices": listed})

    def has_account(self, *, is_active: bool) -> None:
        self.answer = (200, {"id": ACCOUNT, "state": "flying" if is_active else "caged"})

    def has_service(self, *, has_senders: bool) -> None:
        self.answer = (200, {"senders": ["coo"] if has_senders else []})

    def report(self, report: DeliveryReport) -> Post:
        return signed(
            account=report.account_sid,
            id=report.message_sid,
            reference=str(report.message_id),
            status=report.provider_status,
            code=report.error_code,
            **{"from": report.from_number},
        )

    def inbound(self, text: str, consent: Consent) -> Post:
        return signed(
            account=consent.account_sid,
            id=consent.message_sid,
            service=consent.messaging_service_sid,
            to=consent.sender,
            text=text,
            **{"from": consent.recipient},
        )


def as_pigeon(found: ProviderMessage) -> dict[str, Any]:
    return {
        "id": found.message_sid,
        "service": found.messaging_service_sid,
        "to": found.to_number,
        "from": found.from_number,
        "text": found.body,
        "status": found.provider_status,
        "at": found.created_at and found.created_at.isoformat(),
        "code": found.error_code,
        "segments": found.num_segments,
        "price": found.price,
        "currency": found.price_unit,
    }


def signed(**body: Any) -> Post:
    data = json.dumps(body).encode()
    signature = {SIGNATURE: signature_of(AUTH_TOKEN, data)}
    return Post(CALLBACK_PATH, data, {"Content-Type": "application/json"} | signature)


class TestPigeon(ProviderContract):
    @pytest.fixture
    def arranged(self, cipher: Cipher) -> ArrangedProvider:
        return ArrangedPigeon(cipher)


@pytest.fixture
def pigeon(cipher: Cipher) -> ArrangedPigeon:
    return ArrangedPigeon(cipher)


@pytest.fixture
def on_pigeon(gateway: Gateway, pigeon: ArrangedPigeon, clock: ManualClock) -> Gateway:
    """A gateway that the assembly gave another provider."""
    services = open_services(
        gateway.services.settings,
        clock=clock.clock(),
        provider=pigeon.provider,
        cipher=gateway.services.cipher,
        database=gateway.services.database,
    )
    return Gateway(services, FakeTwilio(), create_app(services).test_client())


def status_of(gateway: Gateway, tenant: Tenant, message_id: str) -> tuple[str, str | None]:
    found = gateway.get(f"/v1/sms/{message_id}", key=tenant.keys[Role.SENDER]).json
    return found["status"], found["message_sid"]


@pytest.mark.one_engine
def test_a_gateway_sends_and_tracks_through_another_provider(
    on_pigeon: Gateway, tenant: Tenant, pigeon: ArrangedPigeon
) -> None:
    """Break: let a feature name a status, a code or a module of Twilio's."""
    callbacks = serve_callbacks(routes, on_pigeon.services.callbacks).test_client()
    sid = pigeon.accepts()
    sent = on_pigeon.send(tenant)
    assert (sent.status_code, sent.json["message_sid"]) == (201, sid)
    for status in (Status.SENT, Status.DELIVERED):
        report = DeliveryReport(
            ACCOUNT, sid, UUID(sent.json["id"]), status, pigeon.word_of(status), is_signed=True
        )
        post = pigeon.report(report)
        answer = callbacks.post(post.path, data=post.body, headers=post.headers)
        assert answer.status_code == 204
        assert status_of(on_pigeon, tenant, sent.json["id"])[0] == status


@pytest.mark.one_engine
def test_a_refusal_of_another_provider_is_a_public_error(
    on_pigeon: Gateway, tenant: Tenant, pigeon: ArrangedPigeon
) -> None:
    for kind in (RefusalKind.NO_SENDER_NUMBER, RefusalKind.DESTINATION_BLOCKED):
        code = pigeon.refuses(kind)
        answer = on_pigeon.send(tenant)
        assert (answer.status_code, answer.json["code"]) == (422, kind)
    assert answer.json["details"]["provider_code"] == code


@pytest.mark.one_engine
def test_an_unconfirmed_send_is_settled_by_what_another_provider_lists(
    on_pigeon: Gateway,
    tenant: Tenant,
    pigeon: ArrangedPigeon,
    clock: ManualClock,
    database: Database,
) -> None:
    pigeon.breaks(Trouble.NO_ANSWER)
    answer = on_pigeon.send(tenant, message=FOUND.body)
    assert (answer.status_code, answer.json["code"]) == (504, "SubmissionUnconfirmed")
    pigeon.has(replace(FOUND, message_sid="PG7", provider_status="landed", created_at=clock.at))
    clock.advance(90)
    time, sms = clock.clock(), pigeon.provider.sms
    reconcile = Reconcile(
        database=database,
        source=pigeon.provider.messages,
        track=TrackDelivery(database, time),
        resend=Resend(database, sms, time),
        clock=time,
        pace=AccountPace(sleep=lambda _: None),
    )
    reconcile.run_once()
    message_id = answer.json["details"]["id"]
    assert status_of(on_pigeon, tenant, message_id) == ("delivered", "PG7")
