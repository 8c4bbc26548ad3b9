"""What every provider's adapter does: subclass `ProviderContract`, and arrange the provider.

`ArrangedProvider` says what a provider answers next; each adapter's tests write one. A test of the
contract arranges one answer, asks through the port, and looks at what comes out.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.kernel.countries import COUNTRIES
from app.kernel.errors import ProviderUnavailable, ServiceUnavailable
from app.kernel.phone import PhoneNumber
from app.providers.port import (
    Accepted,
    AccountRefused,
    Callbacks,
    Charge,
    Consent,
    CountryPrices,
    DeliveryReport,
    GeoPermission,
    NetworkPrice,
    NeverProcessed,
    Outbound,
    Provider,
    ProviderAccount,
    ProviderMessage,
    ProviderUnknown,
    RefusalKind,
    Refused,
    Status,
    Unconfirmed,
    WantedPermission,
)
from app.web.routes import Routes
from support.factories import ACCOUNT, AUTH_TOKEN, PUBLIC_URL, SERVICE_SID, US_NUMBER
from support.signed_route import KnownTokens, serve_callbacks

TEXT = "Your code is 1234"
SENDER = "+12025550100"
MESSAGE_ID = UUID("01890000-0000-7000-8000-000000000001")
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
BRAND, CAMPAIGN = "BN" + "d" * 32, "QE" + "e" * 32


class Trouble(Enum):
    """Ways in which a call goes wrong."""

    NOT_CONNECTED = auto()
    THROTTLED = auto()
    NO_ANSWER = auto()
    SERVER_ERROR = auto()
    UNREADABLE = auto()
    TOKEN_REFUSED = auto()


@dataclass(frozen=True)
class Post:
    """A callback as the provider posts it."""

    path: str
    body: bytes
    headers: dict[str, str]


class ArrangedProvider(ABC):
    """An adapter, and the provider behind it, which answers as arranged."""

    provider: Provider
    account: ProviderAccount
    routes: Routes

    @abstractmethod
    def breaks(self, trouble: Trouble) -> None:
        """The next call, whatever it asks, goes wrong."""

    @abstractmethod
    def accepts(self) -> str:
        """The next message is accepted; its SID."""

    @abstractmethod
    def refuses(self, kind: RefusalKind) -> int:
        """The next message is refused; the code, an unknown one for `MESSAGE_REJECTED`."""

    @abstractmethod
    def fails_at_once(self, kind: RefusalKind | None) -> tuple[str, int | None]:
        """The next message is accepted and has failed, with or without a code; SID and code."""

    @abstractmethod
    def created(self) -> tuple[UUID, str, str, str]:
        """The last message as the provider got it: our id, the service, the number, the text."""

    @abstractmethod
    def has(self, found: ProviderMessage) -> None:
        """The account has one message, to be fetched or listed."""

    @abstractmethod
    def word_of(self, status: Status) -> str:
        """The provider's word for a status."""

    @abstractmethod
    def code_of(self, kind: RefusalKind) -> int:
        """A code of the provider's with this meaning."""

    @abstractmethod
    def has_no_message(self) -> None: ...

    @abstractmethod
    def charges(self, charge: Charge) -> None:
        """The account has sent a message at this price, and one that has no price yet."""

    @abstractmethod
    def permits(self, **countries: bool) -> None: ...

    @abstractmethod
    def opens_all_but(self, country: str, wanted: list[WantedPermission]) -> None:
        """The next change of permissions is applied, but not to one country."""

    @abstractmethod
    def has_registrations(self, brand: str, campaign: str) -> None:
        """The next question about a brand or a campaign has this answer."""

    @abstractmethod
    def has_prices(self, prices: CountryPrices | None) -> None: ...

    @abstractmethod
    def has_account(self, *, is_active: bool) -> None: ...

    @abstractmethod
    def has_service(self, *, has_senders: bool) -> None: ...

    @abstractmethod
    def report(self, report: DeliveryReport) -> Post:
        """The signed callback of a report."""

    @abstractmethod
    def inbound(self, text: str, consent: Consent) -> Post:
        """The signed callback of what a recipient wrote."""


@dataclass
class Received:
    """Stands in for the gateway behind the callbacks."""

    reports: list[DeliveryReport | None]
    consents: list[Consent]
    fails: bool = False

    def report(self, report: DeliveryReport | None) -> None:
        if self.fails:
            raise ServiceUnavailable
        self.reports.append(report)


OUTBOUND = {"message_id": MESSAGE_ID, "messaging_service_sid": SERVICE_SID, "body": TEXT}
FOUND = ProviderMessage(
    message_sid="SM" + "1" * 32,
    messaging_service_sid=SERVICE_SID,
    to_number=US_NUMBER,
    body=TEXT,
    status=Status.SENT,
    provider_status="",
    created_at=AT,
    from_number=SENDER,
    num_segments=1,
)
REPORT = DeliveryReport(
    account_sid=ACCOUNT,
    message_sid="SM" + "1" * 32,
    message_id=MESSAGE_ID,
    status=Status.DELIVERED,
    provider_status="",
    from_number=SENDER,
    is_signed=True,
)


class ProviderContract:
    """The tests; a subclass has the fixture `arranged`."""

    @pytest.fixture
    def outbound(self, arranged: ArrangedProvider) -> Outbound:
        """A message to create."""
        number = PhoneNumber.parse(US_NUMBER)
        assert number is not None
        return Outbound(account=arranged.account, to_number=number, **OUTBOUND)  # type: ignore[arg-type]

    @pytest.fixture
    def received(self) -> Received:
        """What the callbacks gave to the gateway."""
        return Received([], [])

    @pytest.fixture
    def client(self, arranged: ArrangedProvider, received: Received) -> FlaskClient:
        """A client of the adapter's routes."""
        tokens = KnownTokens((AUTH_TOKEN,), account_sid=ACCOUNT)
        callbacks = Callbacks(PUBLIC_URL, tokens, received.report, received.consents.append)
        return serve_callbacks(arranged.routes, callbacks).test_client()

    # Creating a message

    def test_accepted(self, arranged: ArrangedProvider, outbound: Outbound) -> None:
        sid = arranged.accepts()
        outcome = arranged.provider.sms.create(outbound)
        assert isinstance(outcome, Accepted)
        assert (outcome.message_sid, outcome.has_ended) == (sid, False)
        assert arranged.created() == (MESSAGE_ID, SERVICE_SID, US_NUMBER, TEXT)

    def test_each_kind_of_refusal(self, arranged: ArrangedProvider, outbound: Outbound) -> None:
        """Break: leave one kind out of the table of codes."""
        for kind in RefusalKind:
            code = arranged.refuses(kind)
            assert arranged.provider.sms.create(outbound) == Refused(kind, code)

    def test_failed_at_once(self, arranged: ArrangedProvider, outbound: Outbound) -> None:
        """With a code it is a refusal; without one the message exists and has ended."""
        for kind in (RefusalKind.RECIPIENT_OPTED_OUT, RefusalKind.MESSAGE_REJECTED):
            sid, code = arranged.fails_at_once(kind)
            assert arranged.provider.sms.create(outbound) == Refused(kind, code, sid)
        sid, _ = arranged.fails_at_once(None)
        outcome = arranged.provider.sms.create(outbound)
        assert isinstance(outcome, Accepted)
        assert (outcome.message_sid, outcome.has_ended) == (sid, True)

    def test_each_trouble_of_a_create_call(
        self, arranged: ArrangedProvider, outbound: Outbound
    ) -> None:
        """Break: take a call without an answer for one that was never processed."""
        expected: dict[Trouble, type] = {
            Trouble.NOT_CONNECTED: NeverProcessed,
            Trouble.THROTTLED: NeverProcessed,
            Trouble.NO_ANSWER: Unconfirmed,
            Trouble.SERVER_ERROR: Unconfirmed,
            Trouble.UNREADABLE: Unconfirmed,
            Trouble.TOKEN_REFUSED: Refused,
        }
        for trouble in Trouble:
            arranged.breaks(trouble)
            outcome = arranged.provider.sms.create(outbound)
            assert type(outcome) is expected[trouble], trouble
            assert _says_nothing(repr(outcome)), trouble
            if isinstance(outcome, Refused):
                assert outcome.kind is RefusalKind.PROVIDER_MISCONFIGURED

    def test_an_unreadable_stored_token_is_a_refusal(
        self, arranged: ArrangedProvider, outbound: Outbound
    ) -> None:
        broken = replace(outbound, account=ProviderAccount(ACCOUNT, "not encrypted"))
        refused = Refused(RefusalKind.PROVIDER_MISCONFIGURED, None)
        assert arranged.provider.sms.create(broken) == refused

    def test_codes_have_sentences_and_pages(self, arranged: ArrangedProvider) -> None:
        codes = arranged.provider.codes
        assert codes.opted_out == arranged.code_of(RefusalKind.RECIPIENT_OPTED_OUT)
        assert codes.meanings[codes.opted_out].endswith(".")
        assert arranged.code_of(RefusalKind.MESSAGE_REJECTED) not in codes.meanings
        assert str(codes.opted_out) in codes.page_about(codes.opted_out)

    # Asking

    def test_no_trouble_is_an_answer_to_a_question(self, arranged: ArrangedProvider) -> None:
        """Break: let `fetch` return None where the provider answered 500."""
        for name, ask in _questions(arranged.provider, arranged.account).items():
            for trouble in Trouble:
                arranged.breaks(trouble)
                if trouble is Trouble.TOKEN_REFUSED and name == "account":
                    assert ask() is None
                    continue
                with pytest.raises(ProviderUnknown) as unknown:
                    ask()
                is_refused = trouble is Trouble.TOKEN_REFUSED
                assert isinstance(unknown.value, AccountRefused) is is_refused, (name, trouble)
                assert _says_nothing(str(unknown.value)), (name, trouble)

    def test_an_unreadable_stored_token_is_a_refused_account(
        self, arranged: ArrangedProvider
    ) -> None:
        broken = ProviderAccount(ACCOUNT, "not encrypted")
        for name, ask in _questions(arranged.provider, broken).items():
            with pytest.raises(AccountRefused) as unknown:
                ask()
            assert unknown.value.is_misconfigured, name

    def test_a_message_is_fetched_in_each_status(self, arranged: ArrangedProvider) -> None:
        for status in Status:
            word = arranged.word_of(status)
            found = replace(FOUND, status=status, provider_status=word)
            arranged.has(found)
            assert arranged.provider.messages.fetch(arranged.account, FOUND.message_sid) == found

    def test_an_unknown_status_is_pending(self, arranged: ArrangedProvider) -> None:
        found = replace(FOUND, status=Status.PENDING, provider_status="a word of tomorrow")
        arranged.has(found)
        assert arranged.provider.messages.fetch(arranged.account, FOUND.message_sid) == found

    def test_an_error_code_has_its_meaning(self, arranged: ArrangedProvider) -> None:
        for kind in RefusalKind:
            word, code = arranged.word_of(Status.FAILED), arranged.code_of(kind)
            found = replace(
                FOUND, status=Status.FAILED, provider_status=word, error_code=code, meaning=kind
            )
            arranged.has(found)
            assert arranged.provider.messages.fetch(arranged.account, FOUND.message_sid) == found

    def test_a_message_that_does_not_exist(self, arranged: ArrangedProvider) -> None:
        arranged.has_no_message()
        assert arranged.provider.messages.fetch(arranged.account, FOUND.message_sid) is None

    def test_messages_are_listed_since_a_time(self, arranged: ArrangedProvider) -> None:
        found = replace(FOUND, provider_status=arranged.word_of(Status.SENT))
        for later, listed in ((-1, [found]), (1, [])):
            arranged.has(found)
            since = AT + timedelta(seconds=later)
            listing = arranged.provider.messages.list_to(arranged.account, US_NUMBER, since)
            assert (listing.messages, listing.is_complete) == (listed, True)

    def test_charges_are_those_with_a_price(self, arranged: ArrangedProvider) -> None:
        charge = Charge(FOUND.message_sid, "-0.0079", "USD")
        arranged.charges(charge)
        pages = arranged.provider.messages.list_charges(arranged.account, AT, AT)
        assert [one for page in pages for one in page] == [charge]

    def test_geo_permissions(self, arranged: ArrangedProvider) -> None:
        arranged.permits(US=True, BR=False)
        found, facts = arranged.provider.geo.fetch(arranged.account), arranged.provider.geo.facts
        assert facts.error_code == arranged.code_of(RefusalKind.DESTINATION_BLOCKED)
        assert {*facts.unsupported, *facts.covered_by} <= COUNTRIES
        assert [(one.country, one.is_open) for one in found] == [("US", True), ("BR", False)]
        assert all(isinstance(one, GeoPermission) for one in found)

    def test_each_requested_permission_has_its_result(self, arranged: ArrangedProvider) -> None:
        wanted = [WantedPermission("US", True), WantedPermission("BR", True)]
        arranged.opens_all_but("BR", wanted)
        outcomes = arranged.provider.geo.update(arranged.account, wanted)
        assert [one.wanted for one in outcomes] == wanted
        assert [one.problem is None for one in outcomes] == [True, False]

    def test_registrations(self, arranged: ArrangedProvider) -> None:
        registrations, account = arranged.provider.registrations, arranged.account
        arranged.has_registrations("APPROVED", "VERIFIED")
        assert registrations.brand_status(account, BRAND) == "APPROVED"
        arranged.has_registrations("APPROVED", "VERIFIED")
        assert registrations.campaign_status(account, SERVICE_SID, CAMPAIGN) == "VERIFIED"
        arranged.has_registrations("APPROVED", "VERIFIED")
        with pytest.raises(ProviderUnknown):
            registrations.campaign_status(account, SERVICE_SID, "QE" + "0" * 32)

    def test_prices(self, arranged: ArrangedProvider) -> None:
        prices = CountryPrices("USD", [NetworkPrice("310260", Decimal("0.0079"))])
        for known in (prices, None):
            arranged.has_prices(known)
            assert arranged.provider.prices.fetch(arranged.account, "US") == known

    # The account

    def test_a_token_is_proven(self, arranged: ArrangedProvider) -> None:
        prover = arranged.provider.prover
        arranged.has_account(is_active=True)
        assert prover.accepts(ACCOUNT, AUTH_TOKEN)
        arranged.breaks(Trouble.TOKEN_REFUSED)
        assert not prover.accepts(ACCOUNT, AUTH_TOKEN)
        for trouble in set(Trouble) - {Trouble.TOKEN_REFUSED}:
            arranged.breaks(trouble)
            with pytest.raises(ProviderUnavailable):
                prover.accepts(ACCOUNT, AUTH_TOKEN)

    def test_the_state_of_an_account(self, arranged: ArrangedProvider) -> None:
        for is_active in (True, False):
            arranged.has_account(is_active=is_active)
            state = arranged.provider.setup.account_state(arranged.account)
            assert state is not None
            assert state.is_active is is_active
            assert state.status

    def test_the_set_up_of_a_service(self, arranged: ArrangedProvider) -> None:
        for has_senders in (True, False):
            arranged.has_service(has_senders=has_senders)
            found = arranged.provider.setup.service(arranged.account, SERVICE_SID)
            assert found is not None
            assert found.has_senders is has_senders
        assert arranged.provider.setup.inbound_url.startswith(PUBLIC_URL)

    # Callbacks

    def test_a_signed_report_is_received(
        self, arranged: ArrangedProvider, client: FlaskClient, received: Received
    ) -> None:
        """Break: take an unknown status for an end."""
        kind = RefusalKind.RECIPIENT_OPTED_OUT
        word, code = arranged.word_of(Status.UNDELIVERED), arranged.code_of(kind)
        reports = [replace(REPORT, status=s, provider_status=arranged.word_of(s)) for s in Status]
        reports += [
            replace(REPORT, status=Status.PENDING, provider_status="a word of tomorrow"),
            replace(
                REPORT,
                status=Status.UNDELIVERED,
                provider_status=word,
                error_code=code,
                meaning=kind,
            ),
        ]
        for report in reports:
            assert _post(client, arranged.report(report)).status_code == 204
        assert received.reports == reports

    def test_what_is_not_rightly_signed_is_forbidden(
        self, arranged: ArrangedProvider, client: FlaskClient, received: Received
    ) -> None:
        consent = _consent(wants_messages=False)
        for sent in (
            arranged.report(replace(REPORT, provider_status=arranged.word_of(REPORT.status))),
            arranged.inbound("STOP", consent),
        ):
            foreign = sent.body.replace(ACCOUNT.encode(), b"AC" + b"0" * 32)
            for body in (sent.body + b" ", foreign):
                assert _post(client, replace(sent, body=body)).status_code == 403
            content_type = {"Content-Type": sent.headers["Content-Type"]}
            assert _post(client, replace(sent, headers=content_type)).status_code == 403
        assert (received.reports, received.consents) == ([], [])

    def test_a_report_that_cannot_be_stored_is_posted_again(
        self, arranged: ArrangedProvider, client: FlaskClient, received: Received
    ) -> None:
        received.fails = True
        report = replace(REPORT, provider_status=arranged.word_of(REPORT.status))
        assert _post(client, arranged.report(report)).status_code == 503

    def test_stop_and_start_are_received_and_other_texts_are_not(
        self, arranged: ArrangedProvider, client: FlaskClient, received: Received
    ) -> None:
        stop, start = _consent(wants_messages=False), _consent(wants_messages=True)
        for text, consent in (("STOP", stop), ("start", start), ("Stop calling me", stop)):
            assert _post(client, arranged.inbound(text, consent)).status_code in {200, 204}
        assert received.consents == [stop, start]


def _consent(*, wants_messages: bool) -> Consent:
    recipient = PhoneNumber.parse(US_NUMBER)
    assert recipient is not None
    return Consent(ACCOUNT, SERVICE_SID, SENDER, recipient, wants_messages, "SM" + "2" * 32)


def _questions(provider: Provider, account: ProviderAccount) -> dict[str, Callable[[], object]]:
    messages, registrations, setup = provider.messages, provider.registrations, provider.setup
    wanted = [WantedPermission("US", True)]
    return {
        "fetch": lambda: messages.fetch(account, FOUND.message_sid),
        "list": lambda: messages.list_to(account, US_NUMBER, AT),
        "charges": lambda: list(messages.list_charges(account, AT, AT)),
        "permissions": lambda: provider.geo.fetch(account),
        "update": lambda: provider.geo.update(account, wanted),
        "brand": lambda: registrations.brand_status(account, BRAND),
        "campaign": lambda: registrations.campaign_status(account, SERVICE_SID, CAMPAIGN),
        "prices": lambda: provider.prices.fetch(account, "US"),
        "account": lambda: setup.account_state(account),
        "service": lambda: setup.service(account, SERVICE_SID),
    }


def _says_nothing(text: str) -> bool:
    return not any(secret in text for secret in (US_NUMBER, TEXT, AUTH_TOKEN))


def _post(client: FlaskClient, sent: Post) -> Any:
    return client.post(sent.path, data=sent.body, headers=sent.headers)
