"""A definite refusal by the provider: its public code, and no message."""

from itertools import count
from typing import Any

import pytest
from twilio.http.response import Response

from app.access.principal import Role
from app.access.tables import provider_accounts
from app.destinations.tables import refusals
from app.messages.tables import idempotency_keys, message_events, messages
from app.providers.twilio.codes import _BY_CODE
from app.use_cases.tables import opt_outs
from support.factories import US_NUMBER, Factory, Gateway, Tenant
from support.fake_twilio import accepted, refused

# From the table of errors in docs/api.md, and Twilio's error dictionary.
PUBLIC = {
    (422, "InvalidDestination"): {21211, 21265, 21268, 21614, 21635},
    (422, "DestinationBlocked"): {21408},
    (422, "RecipientOptedOut"): {21610},
    (422, "NoSenderNumber"): {21703, 21704},
    (502, "ProviderMisconfigured"): {
        *(20003, 20005, 20006, 20008, 20010, 20404, 21212, 21267, 21601, 21603, 21604),
        *(21606, 21608, 21609, 21624, 21659, 21660, 21661, 21701, 21702, 21705),
    },
    (422, "MessageRejected"): {21602, 21612, 21617, 21618, 21266, 21999, 30007, 63038},
}
STATUS_OF_CODE = {20003: 401, 20404: 404, 20006: 403, 21701: 404}


def _visible(gateway: Gateway, tenant: Tenant, message_id: Any) -> list[int]:
    """What one fetch, its events and the list show of an id."""
    key = tenant.keys[Role.VIEWER]
    listed = gateway.get("/v1/sms?limit=100", key=key).json["items"]
    return [
        gateway.get(f"/v1/sms/{message_id}", key=key).status_code,
        gateway.get(f"/v1/sms/{message_id}/events", key=key).status_code,
        sum(item["id"] == str(message_id) for item in listed),
    ]


def test_every_code_of_the_table_is_expected_here() -> None:
    expected = {code for codes in PUBLIC.values() for code in codes}
    assert set(_BY_CODE) <= expected


def test_each_code_has_its_public_code_and_leaves_no_message(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    numbers = (f"+1202555{place:04d}" for place in count(2000))
    expected, found = {}, {}
    for public, codes in PUBLIC.items():
        for code in codes:
            gateway.twilio.script.append(refused(code, STATUS_OF_CODE.get(code, 400)))
            answer = gateway.send(tenant, to=next(numbers))
            found[code] = (answer.status_code, answer.json["code"])
            expected[code] = public
            assert answer.json["details"]["provider_code"] == code
            assert "+1202555" not in answer.text
    assert found == expected
    assert len(gateway.twilio.calls) == len(found)
    rows = factory.rows(messages)
    assert {(row["provider_code"], row["submission"], row["body"]) for row in rows} == {
        (code, "refused", None) for code in found
    }
    assert gateway.get("/v1/sms", key=tenant.keys[Role.VIEWER]).json["items"] == []


def test_an_unknown_code_is_a_rejection_that_keeps_the_code(
    gateway: Gateway, tenant: Tenant
) -> None:
    gateway.twilio.script.append(refused(29999, 422))
    answer = gateway.send(tenant)
    assert (answer.status_code, answer.json["code"]) == (422, "MessageRejected")
    assert answer.json["details"] == {"provider_code": 29999}


def test_a_destination_that_twilio_blocks_leaves_no_message_and_no_text(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.twilio.script.append(refused(21408))

    answer = gateway.send(tenant, message="a secret text")

    assert answer.status_code == 422
    assert answer.json == {
        "code": "DestinationBlocked",
        "message": "The destination is blocked and cannot receive messages.",
        "details": {
            "source": "provider",
            "country": "US",
            "rule": "provider",
            "scope": "provider",
            "revision": 1,
            "provider_code": 21408,
            "retryable": False,
        },
    }
    (row,) = factory.rows(messages)
    assert (row["submission"], row["provider_code"], row["body"]) == ("refused", 21408, None)
    assert _visible(gateway, tenant, row["id"]) == [404, 404, 0]
    assert factory.rows(message_events) == []
    (refusal,) = factory.rows(refusals)
    assert (refusal["source"], refusal["rule"], refusal["scope"]) == ("provider",) * 3
    assert (refusal["code"], refusal["country"]) == ("DestinationBlocked", "US")
    assert (refusal["provider_code"], refusal["segments"]) == (21408, 1)
    assert refusal["masked_number"] == "+12*******23"
    assert refusal["use_case_id"] == tenant.use_case_id


def test_callback_for_a_refused_send_creates_no_message(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.twilio.script.append(refused(21408))
    gateway.send(tenant)
    (row,) = factory.rows(messages)
    answer = gateway.callback(str(row["id"]), "SM" + "1" * 32, "delivered")
    assert answer.status_code == 204
    assert factory.rows(messages) == [row]
    assert factory.rows(message_events) == []


def test_a_definite_refusal_frees_the_idempotency_key(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.twilio.script.append(refused(21612))
    first = gateway.send(tenant, Idempotency_Key="k")
    assert first.json["code"] == "MessageRejected"
    assert factory.rows(idempotency_keys) == []
    again = gateway.send(tenant, Idempotency_Key="k")
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again.headers
    assert len(gateway.twilio.calls) == 2


def test_recipient_opted_out_at_twilio_is_added_to_our_list(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.twilio.script.append(refused(21610))
    assert gateway.send(tenant).json["code"] == "RecipientOptedOut"
    (row,) = factory.rows(opt_outs)
    assert (row["to_number"], row["source"]) == (US_NUMBER, "provider")
    assert (row["workspace_id"], row["use_case_id"]) == (tenant.workspace_id, tenant.use_case_id)

    again = gateway.send(tenant)
    assert (again.status_code, again.json["code"]) == (422, "RecipientOptedOut")
    assert "details" not in again.json
    assert len(gateway.twilio.calls) == 1
    assert len(factory.rows(messages)) == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, (422, "DestinationBlocked")), (502, (504, "SubmissionUnconfirmed"))],
)
def test_an_rfc_9457_error_counts_by_its_code_and_its_status(
    gateway: Gateway, tenant: Tenant, status: int, expected: tuple[int, str]
) -> None:
    body = (
        '{"type": "https://www.twilio.com/docs/api/errors/21408", "title": "Bad Request", '
        f'"status": {status}, "code": 21408, "detail": "about +12025550123"}}'
    )
    gateway.twilio.script.append(Response(status, body))
    answer = gateway.send(tenant)
    assert (answer.status_code, answer.json["code"]) == expected
    assert "about" not in answer.text


@pytest.mark.one_engine
def test_a_code_that_cannot_be_stored_is_no_definite_refusal(
    gateway: Gateway, tenant: Tenant
) -> None:
    """Break: take every whole number; on PostgreSQL the outcome is then not written."""
    for code, status in ((2**31 - 1, 422), (2**31, 504), (True, 504)):
        gateway.twilio.script.append(refused(code))
        assert (code, gateway.send(tenant).status_code) == (code, status)


def test_a_token_that_cannot_be_decrypted_is_a_misconfiguration(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    with factory.database.writing() as c:
        c.execute(provider_accounts.update().values(auth_token="not encrypted"))
    answer = gateway.send(tenant)
    assert (answer.status_code, answer.json["code"]) == (502, "ProviderMisconfigured")
    assert gateway.twilio.calls == []
    assert gateway.get("/v1/sms", key=tenant.keys[Role.VIEWER]).json["items"] == []


@pytest.mark.one_engine
@pytest.mark.parametrize("status", ["failed", "undelivered"])
def test_created_message_that_has_failed_already_is_the_mapped_refusal(
    gateway: Gateway, tenant: Tenant, factory: Factory, status: str
) -> None:
    """Its SID is kept: no list may offer it to another submission.

    Break: in `app/messages/sending/record_outcome.py`, `close_submission`, keep no SID.
    """
    numbers = (f"+1202555{place:04d}" for place in count(2000))
    expected, found, sids = {}, {}, []
    for public, codes in PUBLIC.items():
        for code in (*codes, str(min(codes))):
            sids.append(f"SM{len(sids):032x}")
            gateway.twilio.script.append(accepted(sid=sids[-1], status=status, error_code=code))
            answer = gateway.send(tenant, to=next(numbers))
            found[code] = (answer.status_code, answer.json["code"])
            expected[code] = public
            assert answer.json["details"]["provider_code"] == int(code)
    assert found == expected
    rows = factory.rows(messages)
    assert {(row["submission"], row["body"], row["sid_source"]) for row in rows} == {
        ("refused", None, None)
    }
    assert [row["message_sid"] for row in rows] == sids
    assert factory.rows(message_events) == []
    assert gateway.get("/v1/sms", key=tenant.keys[Role.VIEWER]).json["items"] == []


def test_created_message_with_21610_adds_to_the_opt_out_list_and_frees_the_key(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.twilio.script.append(accepted(status="failed", error_code=21610))
    assert gateway.send(tenant, Idempotency_Key="k").json["code"] == "RecipientOptedOut"
    (row,) = factory.rows(opt_outs)
    assert (row["to_number"], row["source"]) == (US_NUMBER, "provider")
    assert factory.rows(idempotency_keys) == []
    again = gateway.send(tenant, Idempotency_Key="k")
    assert (again.status_code, again.json["code"]) == (422, "RecipientOptedOut")
    assert len(gateway.twilio.calls) == 1


@pytest.mark.one_engine
@pytest.mark.parametrize("code", [None, 0, "", "none", -1, [], 2**40])
def test_created_message_that_failed_without_a_code_is_due_immediately(
    gateway: Gateway, tenant: Tenant, factory: Factory, code: Any
) -> None:
    gateway.twilio.script.append(accepted(status="failed", error_code=code))
    answer = gateway.send(tenant)
    assert (answer.status_code, answer.json["status"]) == (201, "pending")
    (row,) = factory.rows(messages)
    assert row["check_at"] == row["updated_at"]


@pytest.mark.one_engine
@pytest.mark.parametrize("status", ["accepted", "queued", "sending", "scheduled", "canceled", None])
def test_error_code_of_a_message_that_has_not_failed_refuses_nothing(
    gateway: Gateway, tenant: Tenant, status: str | None
) -> None:
    gateway.twilio.script.append(accepted(status=status, error_code=30007))
    assert gateway.send(tenant).status_code == 201
