"""What recipients answer: STOP and START keep the opt-out list, everything else is taken in silence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from twilio.http.response import Response

from app.access.principal import Role
from app.access.tables import audit_events
from app.messages.retention.purge import Erase, Purge
from app.providers.twilio.callbacks import SignedForm, wanted_messages
from app.providers.twilio.signature import sign
from app.use_cases.tables import opt_outs, recipient_consents, use_cases
from support.factories import (
    ACCOUNT,
    AUTH_TOKEN,
    OTHER_ACCOUNT,
    PUBLIC_URL,
    SERVICE_SID,
    US_NUMBER,
    Factory,
    Gateway,
    Tenant,
)
from support.fake_twilio import Call, refused
from support.replace_services import another_client
from support.tables import add_opt_out_row, add_sender, snapshot
from support.threads import together
from support.wire import form_of, post_raw

pytestmark = pytest.mark.one_engine

PATH = "/v1/webhook/twilio/sms-inbound"
SENDER = "+12025550100"
OTHER_SERVICE = "MG" + "9" * 32
EMPTY_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
STOP_WORDS = ["STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"]
START_WORDS = ["START", "UNSTOP", "YES"]


def _inbound(gateway: Gateway, text: str | None = "STOP", **changes: str | None) -> Any:
    fields = {
        "AccountSid": ACCOUNT,
        "MessageSid": "SM" + "3" * 32,
        "SmsStatus": "received",
        "From": US_NUMBER,
        "To": SENDER,
        "Body": text,
        "MessagingServiceSid": SERVICE_SID,
    } | changes
    given = {name: value for name, value in fields.items() if value is not None}
    signature = sign(AUTH_TOKEN, PUBLIC_URL + PATH, {n: [v] for n, v in given.items()})
    app = gateway.client.application
    answer = post_raw(app, PATH, form_of(given), signature=signature)
    assert (answer.status_code, answer.data) == (200, EMPTY_TWIML)
    assert answer.mimetype == "text/xml"
    return answer


def _list(factory: Factory) -> set[tuple[UUID, UUID | None, str, str]]:
    return {
        (row["workspace_id"], row["use_case_id"], row["to_number"], row["source"])
        for row in factory.rows(opt_outs)
    }


@dataclass
class Words:
    """A form with a text and, where Advanced Opt-Out is on, Twilio's own reading of it."""

    text: str
    type: str | None = None

    def form(self) -> SignedForm:
        given = {"Body": self.text} | ({} if self.type is None else {"OptOutType": self.type})
        return SignedForm(ACCOUNT, {name: [value] for name, value in given.items()})


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        *((Words(word), False) for word in STOP_WORDS),
        *((Words(word), True) for word in START_WORDS),
        (Words("stop"), False),
        (Words(" Stop\n"), False),
        (Words("sToPaLl"), False),
        (Words("stop it"), None),
        (Words("STOP."), None),
        (Words("please STOP"), None),
        (Words("HELP"), None),
        (Words("INFO"), None),
        (Words(""), None),
        (Words("  "), None),
        (Words("STOP" + "x" * 2000), None),
        (Words("no more of this", "STOP"), False),
        (Words("I am back", "START"), True),
        (Words("STOP", "HELP"), None),
        (Words("STOP", "START"), True),
        (Words("STOP", ""), False),
        (Words("STOP", "a word of tomorrow"), None),
    ],
)
def test_a_text_is_a_wish_only_if_all_of_it_is_the_keyword(
    words: Words, wanted: bool | None
) -> None:
    assert wanted_messages(words.form()) is wanted


@pytest.mark.both_engines
def test_stop_blocks_the_use_case_of_the_service_and_start_lifts_it(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    other = factory.use_case(tenant.workspace_id, messaging_service_sid=OTHER_SERVICE)
    for _ in range(2):
        _inbound(gateway, "Stop")
    assert _list(factory) == {(tenant.workspace_id, tenant.use_case_id, US_NUMBER, "keyword")}
    assert gateway.send(tenant).json["code"] == "RecipientOptedOut"
    beside = Tenant(tenant.organization_id, tenant.workspace_id, other, ACCOUNT, tenant.keys)
    assert gateway.send(beside).status_code == 201

    _inbound(gateway, "START")
    assert _list(factory) == set()
    assert gateway.send(tenant).status_code == 201


def test_without_a_service_the_number_that_was_written_to_names_the_use_case(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    other = factory.use_case(tenant.workspace_id, sender=None)
    add_sender(factory, other, "+12025550177", "long_code", "US")
    _inbound(gateway, MessagingServiceSid=None, To="+12025550177")
    assert _list(factory) == {(tenant.workspace_id, other, US_NUMBER, "keyword")}
    _inbound(gateway, MessagingServiceSid="", To=SENDER)
    assert len(_list(factory)) == 2


def test_the_service_counts_before_the_number(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    other = factory.use_case(
        tenant.workspace_id, sender="+12025550177", messaging_service_sid=OTHER_SERVICE
    )
    _inbound(gateway, MessagingServiceSid=OTHER_SERVICE, To=SENDER)
    assert _list(factory) == {(tenant.workspace_id, other, US_NUMBER, "keyword")}


def test_a_keyword_to_a_shared_service_applies_to_each_use_case(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    other = factory.use_case(tenant.workspace_id)
    deleted = factory.use_case(tenant.workspace_id)
    factory.set(use_cases, deleted, deleted_at=factory.now)
    _inbound(gateway)
    assert {row[1] for row in _list(factory)} == {tenant.use_case_id, other}


def test_a_keyword_to_an_unknown_sender_applies_to_every_workspace_of_the_account(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    stranger = factory.tenant(tenant.organization_id, "stranger", account_sid=OTHER_ACCOUNT)
    _inbound(gateway, MessagingServiceSid=OTHER_SERVICE, To="+12025550188")
    assert _list(factory) == {
        (tenant.workspace_id, None, US_NUMBER, "keyword"),
        (sibling.workspace_id, None, US_NUMBER, "keyword"),
    }
    assert gateway.send(sibling).json["code"] == "RecipientOptedOut"
    assert gateway.send(stranger).status_code == 201
    _inbound(gateway, "START", MessagingServiceSid=OTHER_SERVICE, To="+12025550188")
    assert _list(factory) == set()


@pytest.mark.both_engines
def test_a_keyword_to_another_account_never_applies(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    stranger = factory.tenant(
        factory.organization("Stranger"), account_sid=OTHER_ACCOUNT, auth_token=AUTH_TOKEN
    )
    factory.set(use_cases, stranger.use_case_id, messaging_service_sid=OTHER_SERVICE)
    _inbound(gateway, AccountSid=OTHER_ACCOUNT)  # names our service and our sender
    assert {row[0] for row in _list(factory)} == {stranger.workspace_id}


def test_start_removes_only_opt_outs_by_keyword_or_provider(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    workspace_id, use_case_id = tenant.workspace_id, tenant.use_case_id
    other_use_case = factory.use_case(workspace_id, messaging_service_sid=OTHER_SERVICE)
    rows = [
        (US_NUMBER, "keyword", None, True),
        (US_NUMBER, "provider", use_case_id, True),
        (US_NUMBER, "keyword", other_use_case, False),
        ("+12025550124", "keyword", use_case_id, False),
        ("+12025550124", "keyword", None, False),
    ]
    for number, source, of_use_case, _ in rows:
        add_opt_out_row(factory, workspace_id, number, source, of_use_case)
    _inbound(gateway, "START")
    kept = {(workspace_id, of, number, source) for number, source, of, lifted in rows if not lifted}
    assert _list(factory) == kept


@pytest.mark.parametrize("source", ["api", "complaint", "import 2026"])
def test_start_does_not_remove_an_owners_opt_out(
    gateway: Gateway, tenant: Tenant, factory: Factory, source: str
) -> None:
    add_opt_out_row(factory, tenant.workspace_id, US_NUMBER, source)
    add_opt_out_row(factory, tenant.workspace_id, US_NUMBER, source, tenant.use_case_id)
    before = _list(factory)
    _inbound(gateway, "STOP")
    _inbound(gateway, "START")
    _inbound(gateway, "hello", OptOutType="START")
    assert _list(factory) == before
    assert gateway.send(tenant).json["code"] == "RecipientOptedOut"


@pytest.mark.parametrize("use_case", [True, False])
@pytest.mark.parametrize("source", ["keyword", "provider"])
def test_entry_that_an_owner_makes_as_well_is_the_owners(
    gateway: Gateway, tenant: Tenant, factory: Factory, source: str, use_case: bool
) -> None:
    """Break: in `app/use_cases/opt_outs.py`, `add_opt_out`, do nothing on a conflict."""
    of = tenant.use_case_id if use_case else None
    add_opt_out_row(factory, tenant.workspace_id, US_NUMBER, source, of)
    body = {"to_number": US_NUMBER} | ({"use_case_id": str(of)} if use_case else {})
    for _ in range(2):
        entered = gateway.post("/v1/opt-outs", body, key=tenant.keys[Role.ADMIN])
        assert (entered.status_code, entered.json["source"]) == (201, "api")
    for word in ("START", "STOP", "START"):
        _inbound(gateway, word, MessageSid=None)
        assert (tenant.workspace_id, of, US_NUMBER, "api") in _list(factory)
    assert len(_list(factory)) == 1
    added = factory.rows(audit_events, action="opt_out.added")
    assert [row["reason"] for row in added if row["actor_kind"] == "access_key"] == ["api"]


@pytest.mark.parametrize("use_case", [True, False])
def test_refusal_older_than_the_owners_lifting_changes_nothing(
    gateway: Gateway, tenant: Tenant, factory: Factory, use_case: bool
) -> None:
    """Break: in `app/use_cases/opt_outs.py`, `lift_opt_out`, note nothing."""
    before = gateway.send(tenant).json
    body = {"to_number": US_NUMBER}
    body |= {"use_case_id": str(tenant.use_case_id)} if use_case else {}
    admin = tenant.keys[Role.ADMIN]
    entered = gateway.post("/v1/opt-outs", body, key=admin).json
    assert gateway.delete(f"/v1/opt-outs/{entered['id']}", key=admin).status_code == 204
    gateway.callback(before["id"], before["message_sid"], "failed", ErrorCode="21610")
    assert _list(factory) == set()
    after = gateway.send(tenant).json
    gateway.callback(after["id"], after["message_sid"], "failed", ErrorCode="21610")
    assert {row[3] for row in _list(factory)} == {"provider"}
    _inbound(gateway, "START", MessageSid=sid(1))
    _inbound(gateway, "STOP", MessageSid=sid(2))
    assert {row[3] for row in _list(factory)} == {"keyword"}


IN_VAIN: list[dict[str, str | None]] = [
    {"text": "Thank you!"},
    {"text": "HELP"},
    {"text": None},
    {"From": None},
    {"From": "12345"},
    {"From": "SHOPNAME"},
    {"From": "whatsapp:+12025550123"},
    {"From": "+1\x002025550123x"},
    {"From": "+" + "1" * 5000},
]


def test_other_texts_change_nothing_and_get_an_empty_answer(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    before = snapshot(factory.database)
    for changes in IN_VAIN:
        _inbound(gateway, **changes)
        assert (changes, snapshot(factory.database)) == (changes, before)
    assert gateway.twilio.calls == []


def sid(place: int) -> str:
    return f"SM{place:032x}"


@pytest.mark.both_engines
def test_replayed_keyword_message_counts_once(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: in `app/use_cases/consent.py`, `record_consent`, do not ask `count_keyword`."""
    _inbound(gateway, "STOP", MessageSid=sid(1))
    _inbound(gateway, "START", MessageSid=sid(2))
    assert _list(factory) == set()
    _inbound(gateway, "STOP", MessageSid=sid(1))
    assert _list(factory) == set()
    _inbound(gateway, "STOP", MessageSid=sid(3))
    _inbound(gateway, "START", MessageSid=sid(2))
    _inbound(gateway, "start", MessageSid=None, SmsMessageSid=sid(2))
    assert len(_list(factory)) == 1
    _inbound(gateway, "START", MessageSid=sid(4))
    assert _list(factory) == set()


@pytest.mark.both_engines
def test_replay_of_a_word_to_an_unknown_sender_counts_once_in_every_workspace(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    factory.tenant(tenant.organization_id, "sibling")
    unknown = {"MessagingServiceSid": OTHER_SERVICE, "To": "+12025550188"}
    for word, place in (("STOP", 1), ("START", 2), ("STOP", 3), ("START", 2), ("STOP", 1)):
        _inbound(gateway, word, MessageSid=sid(place), **unknown)
    assert len(_list(factory)) == 2


def test_sid_of_another_account_is_another_message(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    stranger = factory.tenant(
        factory.organization("Stranger"), account_sid=OTHER_ACCOUNT, auth_token=AUTH_TOKEN
    )
    _inbound(gateway, AccountSid=OTHER_ACCOUNT, MessageSid=sid(1))
    _inbound(gateway, MessageSid=sid(1))
    assert {row[0] for row in _list(factory)} == {stranger.workspace_id, tenant.workspace_id}


def test_refusal_of_a_message_older_than_a_start_changes_nothing(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: in `app/messages/refusal_effects.py`, `learn`, do not ask `record_refusal`."""
    before = gateway.send(tenant).json
    _inbound(gateway, "STOP", MessageSid=sid(1))
    _inbound(gateway, "START", MessageSid=sid(2))
    for status in ("undelivered", "failed"):
        gateway.callback(before["id"], before["message_sid"], status, ErrorCode="21610")
    assert _list(factory) == set()
    after = gateway.send(tenant).json
    gateway.callback(after["id"], after["message_sid"], "undelivered", ErrorCode="21610")
    assert {row[3] for row in _list(factory)} == {"provider"}
    _inbound(gateway, "START", MessageSid=sid(3))
    gateway.callback(after["id"], after["message_sid"], "undelivered", ErrorCode="21610")
    assert _list(factory) == set()


def test_refusal_older_than_a_start_for_the_whole_workspace_changes_nothing(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    before = gateway.send(tenant).json
    unknown = {"MessagingServiceSid": OTHER_SERVICE, "To": "+12025550188"}
    _inbound(gateway, "START", MessageSid=sid(1), **unknown)
    gateway.callback(before["id"], before["message_sid"], "failed", ErrorCode="21610")
    assert _list(factory) == set()


def test_start_during_a_send_outweighs_the_refusal_that_it_gets(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    def start(_: Call) -> Response:
        _inbound(another_client(gateway), "START", MessageSid=sid(1))
        return refused(21610)

    gateway.twilio.script = [start]
    assert gateway.send(tenant).json["code"] == "RecipientOptedOut"
    assert _list(factory) == set()


@pytest.mark.both_engines
def test_a_start_concurrent_with_old_refusals_leaves_no_opt_out(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: in `app/use_cases/opt_outs.py`, `_note`, write whatever the time."""
    sent = [gateway.send(tenant).json for _ in range(6)]
    _inbound(gateway, "STOP", MessageSid=sid(1))
    jobs: list[Callable[[], Any]] = [
        partial(another_client(gateway).callback, *its, "failed", ErrorCode="21610")
        for its in ((message["id"], message["message_sid"]) for message in sent)
    ]
    together([*jobs, partial(_inbound, another_client(gateway), "START", MessageSid=sid(2))])
    assert _list(factory) == set()


@pytest.mark.both_engines
def test_concurrent_owner_and_recipient_are_answered_and_the_owner_decides(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: in `app/use_cases/opt_outs.py`, `add_opt_out`, do nothing on a conflict."""
    before = gateway.send(tenant).json
    body = {"to_number": US_NUMBER, "use_case_id": str(tenant.use_case_id)}
    admin = tenant.keys[Role.ADMIN]

    def enter(own: Gateway) -> Any:
        return own.post("/v1/opt-outs", body, key=admin)

    def lift(own: Gateway) -> Any:
        return own.delete(f"/v1/opt-outs/{entered['id']}", key=admin)

    def report(own: Gateway) -> Any:
        return own.callback(before["id"], before["message_sid"], "failed", ErrorCode="21610")

    def start(own: Gateway) -> Any:
        return _inbound(own, "START", MessageSid=None)

    for place, rivals in enumerate([[enter, start], [lift, report]] * 8):
        if place % 2 == 0:
            _inbound(gateway, "STOP", MessageSid=None)
        else:
            entered = enter(gateway).json
        answers = together([partial(one, another_client(gateway)) for one in rivals])
        assert {answer.status_code // 100 for answer in answers} == {2}
        sources = [row[3] for row in _list(factory)]
        assert sources == (["api"] if place % 2 == 0 else [])


def test_erasure_deletes_the_keyword_and_keeps_the_opt_out(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    _inbound(gateway, "START", MessageSid=sid(1))
    purge = Purge(factory.database, gateway.services.clock, "k" * 32)
    Erase(factory.database, purge)(US_NUMBER)
    assert US_NUMBER not in str(factory.rows(recipient_consents))
    _inbound(gateway, "STOP", MessageSid=sid(2))
    Erase(factory.database, purge)(US_NUMBER)
    assert len(_list(factory)) == 1


@pytest.mark.both_engines
def test_facts_too_old_to_be_contradicted_are_deleted(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    _inbound(gateway, "START", MessageSid=sid(1))
    purge = Purge(factory.database, gateway.services.clock, "k" * 32)
    purge()
    assert len(factory.rows(recipient_consents)) == 1
    factory.write(update(recipient_consents).values(at=factory.now - timedelta(days=31)))
    purge()
    assert factory.rows(recipient_consents) == []
    _inbound(gateway, "START", MessageSid=sid(1))
    assert factory.rows(recipient_consents) == []
