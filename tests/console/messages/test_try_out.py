"""Trying a number: the verdict with its reason, and a test that is sent once and only once."""

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest
from twilio.http.response import Response

from app.access.principal import Role
from app.access.tables import organizations, workspaces
from app.messages.sending.send import InFlight
from app.messages.tables import idempotency_keys, messages
from app.providers.twilio.transport import Throttled
from app.use_cases.opt_outs import OptOut, add_opt_out
from app.use_cases.tables import use_cases
from app.web.waiting import allow_waiting, condition_to_run_again
from support.console import Console, signed_in
from support.factories import BR_NUMBER, US_NUMBER, Factory, Gateway, Tenant, open_gateway
from support.fake_twilio import refused
from support.geo import store
from support.replace_services import replace_services
from support.time import FakePace

pytestmark = pytest.mark.one_engine

FR_NUMBER = "+33612345678"
GB_NUMBER = "+447400123456"


@pytest.fixture
def console(gateway: Gateway, tenant: Tenant) -> Console:
    return signed_in(gateway, tenant.keys[Role.OWNER])


def judged(console: Console, number: str, use_case_id: UUID | None = None) -> str:
    """What the page says of a number, as plain text."""
    query = f"?number={number.replace('+', '%2B')}"
    if use_case_id is not None:
        query += f"&use_case_id={use_case_id}"
    answer = console.get(f"/console/try{query}")
    assert answer.status_code == 200, answer.text[-500:]
    start = answer.text.index('aria-labelledby="verdict"')
    part = answer.text[start : answer.text.index('id="send"', start)]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", part)).split())


def rule(gateway: Gateway, tenant: Tenant, **rule: str) -> None:
    path = f"/workspaces/{tenant.workspace_id}/destination-management/capability/sms/rules"
    assert gateway.post(path, rule, key=tenant.keys[Role.OWNER]).status_code == 201


def test_each_verdict_says_which_rule_of_which_layer_decided(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    rule(gateway, tenant, kind="prefix", value="+4474", action="allowed", reason="trial")
    rule(gateway, tenant, kind="number", value="+12025550199", action="blocked", reason="spam")
    factory.set(organizations, tenant.organization_id, denied_destinations=["IR"])
    for number, expected_words in (
        (
            US_NUMBER,
            ("Allowed", "United States is an allowed destination", "workspace: by country"),
        ),
        (FR_NUMBER, ("Blocked", "France is not an allowed destination", "mobile")),
        (GB_NUMBER, ("Allowed", "the rule prefix +4474 is allowed")),
        ("+12025550199", ("Blocked", "A rule for this number", "number +12025550199 is blocked")),
        ("+989121234567", ("Blocked", "organization blocks", "Iran", "the organization")),
        ("+80012345678", ("Blocked", "belongs to no country", "No country")),
        ("+442079460000", ("Invalid number", "cannot receive SMS: fixed line")),
        ("+12", ("Invalid number", "No such number can exist")),
    ):
        shown = judged(console, number)
        assert all(words in shown for words in expected_words), (number, shown)


def test_the_verdict_is_that_of_the_api(gateway: Gateway, tenant: Tenant, console: Console) -> None:
    rule(gateway, tenant, kind="prefix", value="+4474", action="allowed", reason="trial")
    path = f"/workspaces/{tenant.workspace_id}/destination-management/capability/sms/check"
    numbers = [US_NUMBER, FR_NUMBER, GB_NUMBER, BR_NUMBER, "+80012345678", "+442079460000"]
    for use_case_id in (None, tenant.use_case_id):
        body: dict[str, Any] = {"numbers": numbers}
        if use_case_id is not None:
            body["use_case_id"] = str(use_case_id)
        verdicts = gateway.post(path, body, key=tenant.keys[Role.OWNER]).json["verdicts"]
        for verdict in verdicts:
            shown = judged(console, verdict["number"], use_case_id)
            good = "Allowed" if use_case_id is None else "A send would be accepted"
            assert (good in shown) is verdict["allowed"], shown


def test_a_use_case_brings_its_own_conditions(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    assert "A send would be accepted" in judged(console, US_NUMBER, tenant.use_case_id)
    with factory.database.writing() as c:
        opt_out = OptOut(tenant.workspace_id, None, US_NUMBER, "api")
        add_opt_out(c, opt_out, factory.now)
    shown = judged(console, US_NUMBER, tenant.use_case_id)
    assert "RecipientOptedOut" in shown
    assert "the recipient opted out" in shown
    factory.set(use_cases, tenant.use_case_id, allowed_destinations=["CA"])
    assert "does not allow this country" in judged(console, US_NUMBER, tenant.use_case_id)
    factory.set(use_cases, tenant.use_case_id, campaign_status="PENDING")
    assert "CampaignNotVerified" in judged(console, US_NUMBER, tenant.use_case_id)
    factory.set(workspaces, tenant.workspace_id, suspended_at=factory.now)
    assert "WorkspaceSuspended" in judged(console, US_NUMBER, tenant.use_case_id)


def test_known_geo_permissions_are_shown(
    tenant: Tenant, console: Console, factory: Factory
) -> None:
    assert "not known" in judged(console, US_NUMBER)
    store(factory.database, US=False, FR=True)
    assert "fails with error 21408" in judged(console, US_NUMBER)
    assert "Twilio allowed" in judged(console, FR_NUMBER)


@pytest.mark.parametrize("typed", ["+1 (202) 555-0123", "001 202 555 0123", "+1\u00a0202.555.0123"])
def test_a_number_may_be_typed_as_people_write_it(console: Console, typed: str) -> None:
    assert US_NUMBER in judged(console, typed)


def test_problems_of_the_check_are_shown_at_their_field(console: Console) -> None:
    answer = console.get("/console/try?number=hello&use_case_id=x")
    assert answer.status_code == 422
    assert 'id="number-problem"' in answer.text
    assert 'id="use_case_id-problem"' in answer.text
    stranger = console.get(f"/console/try?number=%2B12025550123&use_case_id={uuid4()}")
    assert stranger.status_code == 422
    assert "There is no such use case." in stranger.text


def form_of(console: Console, tenant: Tenant, **values: Any) -> dict[str, Any]:
    """The send form as the page gives it, filled in."""
    page = console.get("/console/try").text
    hidden = dict(re.findall(r'type="hidden" name="(csrf_token|nonce)" value="([^"]+)"', page))
    filled = {"use_case_id": str(tenant.use_case_id), "to_phone_number": "+1 202 555 0123"}
    return hidden | filled | {"message": "a test"} | values


def send(console: Console, form: dict[str, Any]) -> Any:
    return console.post_without_token("/console/try", form)


def test_a_test_is_a_message_as_any_other(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    answer = send(console, form_of(console, tenant))
    assert answer.status_code == 303
    (row,) = factory.rows(messages)
    assert answer.headers["Location"] == f"/console/messages/{row['id']}"
    assert (row["to_number"], row["body"], row["workspace_id"]) == (
        US_NUMBER,
        "a test",
        tenant.workspace_id,
    )
    (call,) = gateway.twilio.calls
    assert call.data["Body"] == "a test"
    shown = console.get(answer.headers["Location"]).text
    assert 'class="notice done" role="status">Sent.' in shown


def test_a_form_that_is_submitted_twice_sends_once(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    form = form_of(console, tenant)
    first, second = send(console, form), send(console, form)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(gateway.twilio.calls) == len(factory.rows(messages)) == 1
    assert "This form was already sent" in console.get(second.headers["Location"]).text
    (key,) = factory.rows(idempotency_keys)
    assert key["workspace_id"] == tenant.workspace_id
    again = send(console, form_of(console, tenant))
    assert again.headers["Location"] != first.headers["Location"]


def test_two_clicks_at_the_same_time_send_once(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    replace_services(gateway, in_flight=InFlight(16))  # a place for each
    form = form_of(console, tenant)
    others = [signed_in(gateway, tenant.keys[Role.OWNER]) for _ in range(4)]
    forms = [form | {"csrf_token": other.token("/console/try")} for other in others]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, others, forms))
    assert len(gateway.twilio.calls) == len(factory.rows(messages)) == 1
    assert {answer.status_code for answer in answers} <= {303, 409}
    assert any(answer.status_code == 303 for answer in answers)


def test_a_form_sent_again_with_another_text_sends_nothing(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    form = form_of(console, tenant)
    send(console, form)
    answer = send(console, form | {"message": "another"})
    assert answer.status_code == 422
    assert "This form was sent before with other values." in answer.text
    assert len(gateway.twilio.calls) == 1
    nonce = re.search(r'name="nonce" value="([^"]+)"', answer.text)
    assert nonce is not None
    assert nonce.group(1) != form["nonce"]
    answer = send(console, form | {"message": "another", "nonce": nonce.group(1)})
    assert answer.status_code == 303


def test_the_same_key_of_the_api_and_a_form_are_two(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    form = form_of(console, tenant)
    assert gateway.send(tenant, Idempotency_Key=form["nonce"]).status_code == 201
    assert send(console, form).status_code == 303
    assert len(gateway.twilio.calls) == 2


def test_another_workspaces_use_case_cannot_be_sent_through(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    answer = send(console, form_of(console, tenant, use_case_id=str(sibling.use_case_id)))
    assert answer.status_code == 404
    assert "There is no such use case in this workspace." in answer.text
    assert gateway.twilio.calls == []


@pytest.mark.parametrize(
    ("provider_code", "code", "words"),
    [
        (21408, "DestinationBlocked", "geo permissions"),
        (21610, "RecipientOptedOut", "replied STOP"),
        (21614, "InvalidDestination", "not a mobile number"),
        (21704, "NoSenderNumber", "No sender of the use case"),
        (21612, "MessageRejected", "no route from this sender"),
        (99999, "MessageRejected", "docs/api/errors/99999"),
        (21705, "ProviderMisconfigured", "refused our settings"),
    ],
)
def test_each_refusal_is_explained(
    gateway: Gateway, tenant: Tenant, provider_code: int, code: str, words: str
) -> None:
    gateway.twilio.script.append(refused(provider_code))
    console = signed_in(gateway, tenant.keys[Role.SENDER])
    answer = send(console, form_of(console, tenant))
    assert answer.status_code in {422, 502}
    expected_words = answer.text[answer.text.index("Not sent.") :]
    assert code in expected_words
    assert words in unescape(expected_words)
    assert 'value="+1 202 555 0123"' in expected_words


def test_problems_of_the_form_are_shown_at_their_field(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    answer = send(console, form_of(console, tenant, to_phone_number="12", message=""))
    assert answer.status_code == 422
    assert 'id="to-problem"' in answer.text
    assert 'id="message-problem"' in answer.text
    assert gateway.twilio.calls == []


def test_an_unconfirmed_send_leads_to_its_message_which_explains(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    gateway.twilio.script.append(Response(500, ""))
    form = form_of(console, tenant)
    answer = send(console, form)
    assert answer.status_code == 303
    shown = console.get(answer.headers["Location"]).text
    assert "Twilio did not confirm the message. It may have been sent." in shown
    assert "Not confirmed" in shown
    assert send(console, form).headers["Location"] == answer.headers["Location"]
    assert len(gateway.twilio.calls) == 1


def test_a_send_waits_for_a_place_and_is_then_refused_with_a_time_to_wait(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory
) -> None:
    """Break: in `app/console/messages/try_out.py`, call `SendMessage` without `may_wait`."""
    form = form_of(console, tenant)
    in_flight = InFlight(1)
    replace_services(gateway, in_flight=in_flight, pace=FakePace().pace())
    server = console.client.application
    environs: list[dict[str, Any]] = []
    inner = server.wsgi_app

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        environs.append(environ)
        return inner(environ, start_response)

    server.wsgi_app = serve
    with in_flight.place(tenant.workspace_id):
        allow_waiting(console.client.environ_base)
        send(console, form)
        condition = condition_to_run_again(environs[-1])
        assert condition is not None
        assert not condition()
        console.client.environ_base.clear()  # its time is over: it runs a last time
        answer = send(console, form)
        assert condition_to_run_again(environs[-1]) is None
        assert (answer.status_code, "Not sent." in answer.text) == (429, True)
        assert int(answer.headers["Retry-After"]) >= 1
    assert condition()
    assert factory.rows(messages) == []
    assert send(console, form).status_code == 303
    gateway.twilio.script += [Throttled(1.0)] * 9
    busy = send(console, form_of(console, tenant))
    assert (busy.status_code, "Not sent." in busy.text) == (503, True)
    assert int(busy.headers["Retry-After"]) >= 1


def test_the_page_says_whether_a_test_costs_money(
    gateway: Gateway, tenant: Tenant, console: Console, factory: Factory, tmp_path: Any
) -> None:
    assert "they reach the phone and are charged" in console.get("/console/try").text
    services = gateway.services
    emulated = open_gateway(
        services.database, factory.cipher, tmp_path, twilio_url="http://127.0.0.1:8010"
    )
    shown = signed_in(emulated, tenant.keys[Role.OWNER]).get("/console/try").text
    assert "costs money" not in shown
    assert "http://127.0.0.1:8010" in shown
