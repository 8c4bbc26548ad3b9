"""One subscriber, one form: no door takes another spelling of a number for a second subscriber."""

from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.destinations.tables import destination_rules
from app.messages.tables import messages
from app.providers.twilio.signature import sign
from app.use_cases.tables import opt_outs, senders
from support.console import signed_in
from support.factories import (
    ACCOUNT,
    AUTH_TOKEN,
    PUBLIC_URL,
    SERVICE_SID,
    US_NUMBER,
    Factory,
    Gateway,
    Tenant,
)
from support.fake_twilio import refused
from support.tables import add_opt_out_row, unchanged

pytestmark = pytest.mark.one_engine

SPELLINGS = {
    "+112025550123": US_NUMBER,
    "+4407400123456": "+447400123456",
    "+44447400123456": "+447400123456",
    "+49015112345678": "+4915112345678",
    "+610412345678": "+61412345678",
    "+54111523456789": "+5491123456789",
    "+5212221234567": "+522221234567",
}
COUNTRIES = ("US", "GB", "DE", "AU", "AR", "MX")
INBOUND = "/v1/webhook/twilio/sms-inbound"


@pytest.fixture
def tenant(factory: Factory) -> Tenant:
    """A workspace that may reach the countries of all spellings."""
    destinations = dict.fromkeys(COUNTRIES, "allowed")
    return factory.tenant(factory.organization(), destinations=destinations)


def expected_message(text: str) -> str:
    return f"{text} is not in canonical form; use {SPELLINGS[text]}."


def path_of(tenant: Tenant, below: str) -> str:
    return f"/workspaces/{tenant.workspace_id}/destination-management/capability/sms{below}"


def test_send_and_check_refuse_another_spelling_and_name_the_canonical_form(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break `check_destination` (leave out the comparison with the canonical form)."""
    key = tenant.keys[Role.ADMIN]
    for text in SPELLINGS:
        answer = gateway.send(tenant, to=text)
        assert (answer.status_code, answer.json["code"]) == (422, "InvalidDestination"), text
        assert answer.json["message"] == expected_message(text)
    body = {"numbers": [*SPELLINGS, US_NUMBER, "+44123", "nonsense"]}
    verdicts = gateway.post(path_of(tenant, "/check"), body, key=key).json["verdicts"]
    assert [(v["number"], v["canonical"], v["allowed"], v["code"]) for v in verdicts] == [
        *((text, canonical, False, "InvalidDestination") for text, canonical in SPELLINGS.items()),
        (US_NUMBER, US_NUMBER, True, None),
        ("+44123", None, False, "InvalidDestination"),
        ("nonsense", None, False, "InvalidDestination"),
    ]
    assert gateway.twilio.calls == []
    assert factory.rows(messages) == []


def test_fields_of_the_api_refuse_another_spelling_at_their_path(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break `PhoneNumberField` (return the text unread)."""
    key = tenant.keys[Role.OWNER]
    in_pool = f"/v1/use-cases/{tenant.use_case_id}/senders"
    with unchanged(factory.database):
        for text in SPELLINGS:
            wrong = [expected_message(text)]
            rule = {"kind": "number", "value": text, "action": "blocked"}
            posted: dict[str, tuple[str, dict[str, Any]]] = {
                "/v1/opt-outs": ("$.to_number", {"to_number": text}),
                path_of(tenant, "/rules"): ("$.value", rule),
                in_pool: ("$.number", {"number": text, "type": "long_code"}),
            }
            for path, (place, body) in posted.items():
                answer = gateway.post(path, body, key=key)
                assert (answer.status_code, answer.json["code"]) == (422, "ValidationFailed")
                assert answer.json["details"] == {place: wrong}, path
            for path in ("/v1/sms", "/v1/opt-outs"):
                answer = gateway.get(f"{path}?to_number={text.replace('+', '%2B')}", key=key)
                assert answer.status_code == 422
                assert answer.json["details"] == {"$.to_number": wrong}, path


def test_prefix_rule_that_no_number_can_begin_with_is_refused(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break `can_begin_a_number` (return True)."""
    prefixes = {"+4407": "; use +447", "+44075": "; use +4475", "+112": "; use +12", "+11": ""}
    for prefix, remedy in {**prefixes, "+4900": "", "+610": "", "+999": ""}.items():
        rule = {"kind": "prefix", "value": prefix, "action": "blocked"}
        answer = gateway.post(path_of(tenant, "/rules"), rule, key=tenant.keys[Role.ADMIN])
        assert (answer.status_code, answer.json["code"]) == (422, "ValidationFailed"), prefix
        reason = f"No phone number in canonical form begins with {prefix}{remedy}."
        assert answer.json["details"] == {"$.value": [reason]}
    assert factory.rows(destination_rules) == []


def test_console_refuses_another_spelling_and_names_the_canonical_form(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break `PhoneNumberInput` or the order of `check_destination`."""
    console = signed_in(gateway, tenant.keys[Role.OWNER])
    typed, canonical = "%2B44 (0)7400 123456", "+447400123456"
    use_case = str(tenant.use_case_id)
    with unchanged(factory.database, "refusals", "refusal_counts"):
        for path in ("/console/messages?to_number=", "/console/opt-outs?to_number="):
            answer = console.get(path + typed)
            assert (answer.status_code, f"use {canonical}." in answer.text) == (422, True), path
        for path, form in {
            "/console/opt-outs": {"to_number": "+44 (0)7400 123456"},
            "/console/destinations/rules": {
                "kind": "number",
                "value": "+4407400123456",
                "action": "blocked",
            },
            f"/console/use-cases/{use_case}/senders": {
                "number": "+44 (0)7400 123456",
                "type": "long_code",
            },
            "/console/try": {
                "to_phone_number": "+44 (0)7400 123456",
                "use_case_id": use_case,
                "message": "test",
            },
        }.items():
            on = f"/console/use-cases/{use_case}" if path.endswith("/senders") else path
            answer = console.post(path, form, on=on)
            assert (answer.status_code, f"use {canonical}." in answer.text) == (422, True), path
    answer = console.get("/console/try?number=" + typed)
    assert (answer.status_code, f"use {canonical}." in answer.text) == (200, True)
    assert gateway.twilio.calls == []


def test_stop_and_start_from_another_spelling_change_the_list_of_the_canonical_number(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break `sms_inbound` (take the text of From as it is)."""
    _inbound(gateway, "STOP", "+4407400123456")
    assert [row["to_number"] for row in factory.rows(opt_outs)] == ["+447400123456"]
    answer = gateway.send(tenant, to="+447400123456")
    assert (answer.status_code, answer.json["code"]) == (422, "RecipientOptedOut")
    _inbound(gateway, "START", "+44447400123456")
    assert factory.rows(opt_outs) == []
    assert gateway.send(tenant, to="+447400123456").status_code == 201


def test_stop_to_another_spelling_of_a_sender_is_about_its_use_case(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break `_sender` in the inbound webhook (return the text of To)."""
    (sender,) = factory.rows(senders)
    odd = sender["number"].replace("+1", "+11", 1)
    _inbound(gateway, "STOP", US_NUMBER, To=odd, MessagingServiceSid=None)
    (row,) = factory.rows(opt_outs)
    assert (row["use_case_id"], row["to_number"]) == (tenant.use_case_id, US_NUMBER)


@pytest.mark.both_engines
def test_refusal_by_the_provider_opts_out_the_canonical_number(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break `TrackDelivery._learn` (take the stored text): a message may be older than the rule."""
    gateway.twilio.script.append(refused(21610))
    assert gateway.send(tenant).json["code"] == "RecipientOptedOut"
    sent = gateway.send(tenant, to="+447400123456").json
    factory.set(messages, UUID(sent["id"]), to_number="+4407400123456")
    gateway.callback(sent["id"], sent["message_sid"], "failed", ErrorCode="21610")
    numbers = {row["to_number"] for row in factory.rows(opt_outs)}
    assert numbers == {US_NUMBER, "+447400123456"}


@pytest.mark.both_engines
def test_block_of_a_number_applies_to_all_its_spellings(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    key = tenant.keys[Role.ADMIN]
    for kind, value in (("number", "+447400123411"), ("prefix", "+447500")):
        rule = {"kind": kind, "value": value, "action": "blocked"}
        assert gateway.post(path_of(tenant, "/rules"), rule, key=key).status_code == 201
    add_opt_out_row(factory, tenant.workspace_id, US_NUMBER)
    codes = {
        "+447400123411": "DestinationBlocked",
        "+4407400123411": "InvalidDestination",
        "+447500123456": "DestinationBlocked",
        "+4407500123456": "InvalidDestination",
        US_NUMBER: "RecipientOptedOut",
        "+112025550123": "InvalidDestination",
    }
    assert {to: gateway.send(tenant, to=to).json["code"] for to in codes} == codes
    assert gateway.twilio.calls == []


def _inbound(gateway: Gateway, text: str, sender: str, **changes: str | None) -> None:
    fields = {
        "AccountSid": ACCOUNT,
        "MessageSid": "SM" + "3" * 32,
        "SmsStatus": "received",
        "From": sender,
        "To": "+12025550100",
        "Body": text,
        "MessagingServiceSid": SERVICE_SID,
    } | changes
    form = {name: value for name, value in fields.items() if value is not None}
    signature = sign(AUTH_TOKEN, PUBLIC_URL + INBOUND, {n: [v] for n, v in form.items()})
    answer = gateway.client.post(INBOUND, data=form, headers={"X-Twilio-Signature": signature})
    assert answer.status_code == 200
