"""Idempotency keys: the first answer again, byte for byte, for 24 hours, within a workspace."""

import json
from typing import Any

import pytest
from twilio.http.response import Response

from app.access.principal import Role
from app.kernel.clock import Clock
from app.messages.retention.purge import Erase, Purge
from app.messages.tables import idempotency_keys, messages
from app.providers.twilio.transport import NotConfirmed
from app.use_cases.tables import use_cases
from support.callbacks import message_id_of, new_sid
from support.factories import OTHER_ACCOUNT, US_NUMBER, Factory, Gateway, Tenant
from support.fake_twilio import Call, accepted
from support.replace_services import another_client
from support.time import ManualClock


def _body(tenant: Tenant, **changes: str) -> dict[str, str]:
    body = {
        "use_case_id": str(tenant.use_case_id),
        "to_phone_number": US_NUMBER,
        "message": "Your code is 1234",
    }
    return body | changes


def _post_text(gateway: Gateway, tenant: Tenant, text: str, key: str = "k") -> Any:
    headers = {
        "Authorization": f"AccessKey {tenant.keys[Role.SENDER]}",
        "Idempotency-Key": key,
    }
    return gateway.client.post(
        "/v1/sms", data=text, content_type="application/json", headers=headers
    )


def test_the_same_key_and_body_get_the_first_answer_byte_for_byte(
    gateway: Gateway, tenant: Tenant
) -> None:
    first = gateway.send(tenant, Idempotency_Key="k")
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    gateway.callback(first.json["id"], first.json["message_sid"], "delivered")

    for _ in range(2):
        again = gateway.send(tenant, Idempotency_Key="k")
        assert again.status_code == 201
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.data == first.data
    assert len(gateway.twilio.calls) == 1


def test_another_body_with_the_same_key_is_refused(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.send(tenant, Idempotency_Key="k")
    other_use_case = str(factory.use_case(tenant.workspace_id))
    for change in (
        {"message": "Your code is 1235"},
        {"to_phone_number": "+12025550124"},
        {"use_case_id": other_use_case},
    ):
        answer = _post_text(gateway, tenant, json.dumps(_body(tenant, **change)))
        assert (answer.status_code, answer.json["code"]) == (422, "IdempotencyKeyReused")
    assert len(gateway.twilio.calls) == 1


def test_the_order_and_the_spaces_of_the_json_do_not_matter(
    gateway: Gateway, tenant: Tenant
) -> None:
    body = _body(tenant, message="Grüße")
    first = _post_text(gateway, tenant, json.dumps(body))
    assert first.status_code == 201
    backwards = dict(reversed(body.items()))
    for text in (
        json.dumps(backwards),
        json.dumps(body, indent=3),
        json.dumps(body, ensure_ascii=False),
        json.dumps(body, separators=(",", ":")),
    ):
        again = _post_text(gateway, tenant, text)
        assert (again.status_code, again.data) == (201, first.data)


def test_other_keys_are_other_sends(gateway: Gateway, tenant: Tenant) -> None:
    ids = {gateway.send(tenant, Idempotency_Key=key).json["id"] for key in ("k", "K", "k k")}
    assert len(ids) == 3
    assert len(gateway.twilio.calls) == 3


def test_a_key_may_have_255_characters(gateway: Gateway, tenant: Tenant) -> None:
    key = "~" * 254 + "!"
    assert gateway.send(tenant, Idempotency_Key=key).status_code == 201
    assert gateway.send(tenant, Idempotency_Key=key).headers["Idempotent-Replayed"] == "true"
    assert gateway.send(tenant, Idempotency_Key=key[1:]).status_code == 201
    assert len(gateway.twilio.calls) == 2


@pytest.mark.parametrize("key", ["", "k" * 256, "ä", "a\tb", "\x7f"])
@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_malformed_key_is_refused(gateway: Gateway, tenant: Tenant, key: str) -> None:
    answer = gateway.send(tenant, Idempotency_Key=key)
    assert (answer.status_code, answer.json["code"]) == (400, "BadRequest")
    assert gateway.twilio.calls == []


def test_a_key_itself_is_never_stored(gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
    gateway.send(tenant, Idempotency_Key="jane@example.com")
    assert "jane" not in repr(factory.rows(idempotency_keys))


def test_after_24_hours_a_key_is_free(
    timed_gateway: Gateway, tenant: Tenant, factory: Factory, clock: ManualClock
) -> None:
    first = timed_gateway.send(tenant, Idempotency_Key="k")
    clock.advance(24 * 3600 - 0.001)
    again = timed_gateway.send(tenant, Idempotency_Key="k")
    assert (again.data, again.headers["Idempotent-Replayed"]) == (first.data, "true")

    clock.advance(0.001)
    new = timed_gateway.send(tenant, message="another text", Idempotency_Key="k")
    assert new.status_code == 201
    assert new.json["id"] != first.json["id"]
    assert "Idempotent-Replayed" not in new.headers
    clock.advance(24 * 3600 - 0.001)
    kept = timed_gateway.send(tenant, message="another text", Idempotency_Key="k")
    assert kept.data == new.data
    assert len(factory.rows(idempotency_keys)) == 1


def test_an_unconfirmed_send_answers_the_same_504_until_it_is_settled(
    timed_gateway: Gateway, tenant: Tenant, factory: Factory, clock: ManualClock
) -> None:
    timed_gateway.twilio.script.append(NotConfirmed())
    first = timed_gateway.send(tenant, Idempotency_Key="k")
    assert first.status_code == 504
    assert "Idempotent-Replayed" not in first.headers
    message_id, sid = first.json["details"]["id"], new_sid()
    for _ in range(2):
        clock.advance(3600)
        again = timed_gateway.send(tenant, Idempotency_Key="k")
        assert (again.status_code, again.data) == (504, first.data)
        assert again.headers["Idempotent-Replayed"] == "true"
    other = timed_gateway.send(tenant, message="another", Idempotency_Key="k")
    assert other.json["code"] == "IdempotencyKeyReused"

    timed_gateway.callback(message_id, sid, "sent")
    settled = timed_gateway.send(tenant, Idempotency_Key="k")
    assert (settled.status_code, settled.headers["Idempotent-Replayed"]) == (201, "true")
    assert (settled.json["id"], settled.json["message_sid"]) == (message_id, sid)

    timed_gateway.callback(message_id, sid, "delivered")
    for _ in range(2):
        assert timed_gateway.send(tenant, Idempotency_Key="k").data == settled.data
    assert len(timed_gateway.twilio.calls) == 1
    assert len(factory.rows(messages)) == 1


def test_a_retry_after_the_number_was_erased_does_not_send_again(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: delete the keys of an erased number, or store an answer over `ERASED`."""
    erase = Erase(factory.database, Purge(factory.database, Clock(), "k" * 32))

    def create(_: Call) -> Response:
        erase(US_NUMBER)
        return accepted(sid=new_sid())

    gateway.twilio.script += [accepted(sid=new_sid()), NotConfirmed(), create]
    first = {key: gateway.send(tenant, Idempotency_Key=key) for key in ("sent", "open", "during")}
    assert [one.status_code for one in first.values()] == [201, 504, 201]
    for key, one in first.items():
        again = gateway.send(tenant, Idempotency_Key=key)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (
            one.status_code,
            "true",
        )
    assert len(gateway.twilio.calls) == 3
    assert US_NUMBER not in str(factory.rows(idempotency_keys))
    assert gateway.send(tenant, Idempotency_Key="sent").json["id"] == first["sent"].json["id"]


def test_requests_that_meet_while_a_callback_settles_the_first_get_the_same_bytes(
    gateway: Gateway, tenant: Tenant
) -> None:
    sid = new_sid()
    meanwhile = []

    def create(call: Call) -> Response:
        beside = another_client(gateway)
        beside.callback(message_id_of(call), sid, "sent")
        meanwhile.append(beside.send(tenant, Idempotency_Key="k"))
        return accepted(sid=sid)

    gateway.twilio.script.append(create)
    first = gateway.send(tenant, Idempotency_Key="k")
    assert [first.status_code, meanwhile[0].status_code] == [201, 201]
    assert first.data == meanwhile[0].data
    assert gateway.send(tenant, Idempotency_Key="k").data == first.data
    assert len(gateway.twilio.calls) == 1


def test_workspaces_use_the_same_key_independently(gateway: Gateway, factory: Factory) -> None:
    organization_id = factory.organization()
    one = factory.tenant(organization_id, "one")
    two = factory.tenant(organization_id, "two", account_sid=OTHER_ACCOUNT)
    first = gateway.send(one, Idempotency_Key="k")
    second = gateway.send(two, Idempotency_Key="k")
    assert [first.status_code, second.status_code] == [201, 201]
    assert first.json["id"] != second.json["id"]
    assert gateway.send(one, Idempotency_Key="k").data == first.data
    assert gateway.send(two, Idempotency_Key="k").data == second.data
    assert len(gateway.twilio.calls) == 2


def test_a_key_of_the_organization_shares_the_scope_of_the_workspace(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    other = factory.tenant(tenant.organization_id, "other")
    first = gateway.send(tenant, Idempotency_Key="k")
    tenant.keys = other.keys = factory.keys(tenant.organization_id, None)

    assert gateway.send(tenant, Idempotency_Key="k").data == first.data
    elsewhere = gateway.send(other, Idempotency_Key="k")
    assert elsewhere.status_code == 201
    assert elsewhere.json["id"] != first.json["id"]


def test_a_key_of_another_organization_never_sees_the_answer(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.send(tenant, Idempotency_Key="k")
    stranger = factory.organization("Stranger")
    tenant.keys = factory.keys(stranger, None)
    for key in ("k", "unused"):
        answer = gateway.send(tenant, Idempotency_Key=key)
        assert (answer.status_code, answer.json["code"]) == (404, "UseCaseNotFound")
    tenant.keys = factory.tenant(stranger, account_sid=OTHER_ACCOUNT).keys
    answer = gateway.send(tenant, Idempotency_Key="k")
    assert (answer.status_code, answer.json["code"]) == (404, "UseCaseNotFound")


def test_a_key_that_may_not_send_gets_no_replay(gateway: Gateway, tenant: Tenant) -> None:
    gateway.send(tenant, Idempotency_Key="k")
    answer = gateway.send(tenant, role=Role.VIEWER, Idempotency_Key="k")
    assert (answer.status_code, answer.json["code"]) == (403, "Forbidden")


def test_a_replay_does_not_depend_on_what_became_of_the_use_case(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    first = gateway.send(tenant, Idempotency_Key="k")
    factory.set(use_cases, tenant.use_case_id, active=False)
    assert gateway.send(tenant, Idempotency_Key="k").data == first.data
    factory.set(use_cases, tenant.use_case_id, deleted_at=factory.now)
    assert gateway.send(tenant, Idempotency_Key="k").data == first.data
    tenant.keys = factory.keys(tenant.organization_id, None)
    assert gateway.send(tenant, Idempotency_Key="k").data == first.data
