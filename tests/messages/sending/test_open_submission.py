"""A process that dies between the steps of a send: hidden at first, then pending, then settled."""

from typing import Any

import pytest
from twilio.http.response import Response

from app.access.principal import Role
from app.messages.sending.idempotency import identify
from app.messages.sending.open_submission import open_submission
from app.messages.tables import messages
from support.callbacks import new_sid
from support.factories import US_NUMBER, Factory, Gateway, Tenant
from support.fake_twilio import Call
from support.submissions import new_submission
from support.time import ManualClock


def _killed(_call: Call) -> Response:
    raise SystemExit


def _die_in_the_call(gateway: Gateway, tenant: Tenant, factory: Factory, clock: ManualClock) -> str:
    """The process ends while the provider is called."""
    gateway.twilio.script.append(_killed)
    with pytest.raises(SystemExit):
        gateway.send(tenant, Idempotency_Key="k")
    return str(factory.rows(messages)[0]["id"])


def _die_before_the_call(
    gateway: Gateway, tenant: Tenant, factory: Factory, clock: ManualClock
) -> str:
    """The process ends as soon as the submission is committed."""
    body = {
        "use_case_id": str(tenant.use_case_id),
        "to_phone_number": US_NUMBER,
        "message": "Your code is 1234",
    }
    new = new_submission(tenant, clock.at, body=body["message"], idempotent=identify("k", body))
    is_ours, _ = open_submission(factory.database, new)
    assert is_ours
    return str(new.message_id)


def _die_before_the_outcome(
    gateway: Gateway, tenant: Tenant, factory: Factory, clock: ManualClock
) -> str:
    """The process ends when the provider has answered and nothing of it is written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.messages.sending.record_outcome.accept_submission", _killed_in_the_write)
        with pytest.raises(SystemExit):
            gateway.send(tenant, Idempotency_Key="k")
    return str(factory.rows(messages)[0]["id"])


def _killed_in_the_write(*_: object, **__: object) -> bool:
    raise SystemExit


DEATHS = [_die_before_the_call, _die_in_the_call, _die_before_the_outcome]
DEATH_IDS = ["before the call", "in the call", "before the outcome"]


def _seen(gateway: Gateway, tenant: Tenant, message_id: str) -> list[Any]:
    """What a fetch, the events and the list show of an id."""
    key = tenant.keys[Role.VIEWER]
    return [
        gateway.get(f"/v1/sms/{message_id}", key=key).status_code,
        gateway.get(f"/v1/sms/{message_id}/events", key=key).status_code,
        [item["id"] for item in gateway.get("/v1/sms", key=key).json["items"]],
    ]


@pytest.mark.parametrize("die", DEATHS, ids=DEATH_IDS)
def test_an_open_submission_is_hidden_for_30_seconds_and_pending_afterwards(
    timed_gateway: Gateway, tenant: Tenant, factory: Factory, clock: ManualClock, die: Any
) -> None:
    message_id = die(timed_gateway, tenant, factory, clock)

    clock.advance(30)
    assert _seen(timed_gateway, tenant, message_id) == [404, 404, []]
    clock.advance(0.001)
    assert _seen(timed_gateway, tenant, message_id) == [200, 200, [message_id]]
    message = timed_gateway.get(f"/v1/sms/{message_id}", key=tenant.keys[Role.VIEWER]).json
    assert (message["status"], message["message_sid"]) == ("pending", None)


@pytest.mark.parametrize("die", DEATHS, ids=DEATH_IDS)
def test_callback_with_its_id_settles_an_open_submission(
    timed_gateway: Gateway, tenant: Tenant, factory: Factory, clock: ManualClock, die: Any
) -> None:
    message_id, sid = die(timed_gateway, tenant, factory, clock), new_sid()

    assert timed_gateway.callback(message_id, sid, "delivered").status_code == 204

    message = timed_gateway.get(f"/v1/sms/{message_id}", key=tenant.keys[Role.VIEWER]).json
    assert (message["status"], message["message_sid"]) == ("delivered", sid)


@pytest.mark.parametrize("die", DEATHS, ids=DEATH_IDS)
def test_nothing_is_sent_again_by_the_same_idempotency_key(
    timed_gateway: Gateway, tenant: Tenant, factory: Factory, clock: ManualClock, die: Any
) -> None:
    message_id = die(timed_gateway, tenant, factory, clock)
    calls = len(timed_gateway.twilio.calls)

    running = timed_gateway.send(tenant, Idempotency_Key="k")
    assert (running.status_code, running.json["code"]) == (409, "IdempotencyConflict")
    clock.advance(30.001)
    lost = timed_gateway.send(tenant, Idempotency_Key="k")
    assert (lost.status_code, lost.json["details"]) == (504, {"id": message_id})
    timed_gateway.callback(message_id, new_sid(), "sent")
    settled = timed_gateway.send(tenant, Idempotency_Key="k")
    assert (settled.status_code, settled.json["id"]) == (201, message_id)
    assert len(timed_gateway.twilio.calls) == calls


def test_killed_provider_call_releases_its_place(
    timed_gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    for _ in range(8):  # more than the turns that there are
        timed_gateway.twilio.script.append(_killed)
        with pytest.raises(SystemExit):
            timed_gateway.send(tenant)
    assert timed_gateway.send(tenant).status_code == 201
