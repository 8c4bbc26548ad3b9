"""Every answer that leaves open whether the provider has the message: 504, and never a second try."""

from collections.abc import Callable
from uuid import UUID

import pytest
from twilio.http.response import Response

from app.access.principal import Role
from app.messages.tables import messages
from app.providers.twilio.transport import NotConfirmed
from support.callbacks import message_id_of, new_sid
from support.factories import US_NUMBER, Factory, Gateway, Tenant
from support.fake_twilio import Answer, Call, accepted, refused
from support.locks import holding_messages
from support.replace_services import another_client

HTML = "<html><body>Bad gateway</body></html>"


def _defect(_call: Call) -> Response:
    raise ZeroDivisionError


OPEN_ENDS: dict[str, Answer] = {
    "400 without a code": Response(400, '{"message": "about +12025550123", "status": 400}'),
    "400 with a code that is not Twilio's": Response(400, '{"code": 400, "message": "no"}'),
    "400 with a code in words": Response(400, '{"code": "21408", "message": "no"}'),
    "403 HTML": Response(403, HTML),
    "404 HTML": Response(404, HTML),
    "500 with Twilio's JSON": Response(500, '{"code": 20500, "message": "internal"}'),
    "503 with Twilio's JSON": Response(503, '{"code": 20503, "message": "unavailable"}'),
    "500 with a code of a refusal": Response(500, '{"code": 21408, "message": "no"}'),
    "502 HTML": Response(502, HTML),
    "504 empty": Response(504, ""),
    "302": Response(302, HTML),
    "200 HTML": Response(200, HTML),
    "201 empty": Response(201, ""),
    "201 JSON cut in the middle": Response(201, '{"sid": "SM'),
    "201 without a SID": Response(201, '{"status": "accepted"}'),
    "201 with a null SID": accepted(sid=None),
    "201 with a number as SID": accepted(sid=7),
    "201 with a list": Response(201, "[]"),
    "201 with a text": Response(201, '"SM"'),
    "201 null": Response(201, "null"),
    "timeout or cut after the request left": NotConfirmed("ReadTimeoutError"),
    "a defect of ours": _defect,
}


def test_an_answer_that_confirms_nothing_leaves_a_pending_message(
    gateway: Gateway, tenant: Tenant
) -> None:
    key = tenant.keys[Role.SENDER]
    for place, (name, answer) in enumerate(OPEN_ENDS.items(), start=1):
        gateway.twilio.script.append(answer)

        sent = gateway.send(tenant)

        assert (name, sent.status_code) == (name, 504)
        assert sent.json["code"] == "SubmissionUnconfirmed"
        assert list(sent.json["details"]) == ["id"]
        assert "+1202" not in sent.text
        assert len(gateway.twilio.calls) == place  # exactly one create
        message_id = sent.json["details"]["id"]
        assert message_id_of(gateway.twilio.calls[-1]) == message_id
        message = gateway.get(f"/v1/sms/{message_id}", key=key).json
        assert (message["status"], message["message_sid"]) == ("pending", None)
        assert (message["to_number"], message["body"]) == (US_NUMBER, "Your code is 1234")
        assert gateway.get("/v1/sms?status=pending&limit=1", key=key).json["items"] == [message]


def test_an_unconfirmed_message_is_settled_by_a_callback_with_its_id(
    gateway: Gateway, tenant: Tenant
) -> None:
    gateway.twilio.script.append(NotConfirmed())
    message_id = gateway.send(tenant).json["details"]["id"]
    sid = new_sid()

    assert gateway.callback(message_id, sid, "sent").status_code == 204

    message = gateway.get(f"/v1/sms/{message_id}", key=tenant.keys[Role.VIEWER]).json
    assert (message["status"], message["message_sid"]) == ("sent", sid)
    # From now on its SID alone finds it.
    assert gateway.callback(None, sid, "delivered").status_code == 204
    message = gateway.get(f"/v1/sms/{message_id}", key=tenant.keys[Role.VIEWER]).json
    assert message["status"] == "delivered"
    assert len(gateway.twilio.calls) == 1


def test_a_callback_before_a_lost_answer_settles_the_message_all_the_same(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sid = new_sid()

    def create(call: Call) -> Response:
        answer = another_client(gateway).callback(message_id_of(call), sid, "delivered")
        assert answer.status_code == 204
        raise NotConfirmed

    gateway.twilio.script.append(create)
    assert gateway.send(tenant).status_code == 504
    (row,) = factory.rows(messages)
    assert (row["submission"], row["status"], row["message_sid"]) == ("accepted", "delivered", sid)


def _not_reachable(*_: object, **__: object) -> None:
    raise ConnectionError("the database went away")


def _never_written(*_: object, **__: object) -> None:
    return None


@pytest.mark.parametrize("accept", [_not_reachable, _never_written])
def test_an_outcome_that_cannot_be_written_is_unconfirmed_and_its_callback_lands(
    timed_gateway: Gateway,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    accept: Callable[..., None],
) -> None:
    monkeypatch.setattr("app.messages.sending.record_outcome.accept_submission", accept)

    sent = timed_gateway.send(tenant)

    assert (sent.status_code, sent.json["code"]) == (504, "SubmissionUnconfirmed")
    message_id = sent.json["details"]["id"]
    assert UUID(message_id)
    sid = new_sid()
    assert timed_gateway.callback(message_id, sid, "delivered").status_code == 204
    message = timed_gateway.get(f"/v1/sms/{message_id}", key=tenant.keys[Role.VIEWER]).json
    assert (message["status"], message["message_sid"]) == ("delivered", sid)
    assert len(timed_gateway.twilio.calls) == 1


def test_locked_database_after_the_call_makes_the_send_unconfirmed(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    held = []

    def create(_call: Call) -> Response:
        held.append(holding_messages(factory.database))
        held[0].__enter__()
        return accepted(sid="SM" + "9" * 32)

    gateway.twilio.script.append(create)
    try:
        sent = gateway.send(tenant)
    finally:
        held[0].__exit__(None, None, None)
    assert (sent.status_code, sent.json["code"]) == (504, "SubmissionUnconfirmed")
    (row,) = factory.rows(messages)
    assert (row["submission"], str(row["id"])) == ("open", sent.json["details"]["id"])
    assert gateway.callback(str(row["id"]), "SM" + "9" * 32, "sent").status_code == 204
    (row,) = factory.rows(messages)
    assert (row["submission"], row["status"]) == ("accepted", "sent")


def test_a_refusal_that_cannot_be_written_is_never_an_invitation_to_send_again(
    gateway: Gateway, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.messages.sending.record_outcome.close_submission", _not_reachable)
    gateway.twilio.script.append(refused(21408))
    assert gateway.send(tenant).json["code"] == "SubmissionUnconfirmed"
