"""A send through the real SDK and the real transport: what is on the wire, and what comes of it."""

import base64
import json
from dataclasses import dataclass
from urllib.parse import parse_qsl

import pytest

from app.access.principal import Role
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
from support.loopback import (
    Loopback,
    ServerAction,
    answer,
    created,
    cut_in_the_middle,
    hang,
    hang_up,
)
from support.tables import set_tokens

pytestmark = pytest.mark.one_engine

CALLBACK = f"{PUBLIC_URL}/v1/webhook/twilio/sms-status"
TEXT = "Grüße & 100 % = +1 \N{KEY}\nnext line"


def test_the_request_on_the_wire_is_the_documented_one(
    wired_gateway: Gateway, tenant: Tenant, server: Loopback
) -> None:
    sent = wired_gateway.send(tenant, message=TEXT)

    assert sent.status_code == 201
    (request,) = server.requests
    assert request.method == "POST"
    assert request.target == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    credentials = base64.b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()
    assert request.headers["authorization"] == f"Basic {credentials}"
    form = parse_qsl(request.body, keep_blank_values=True, strict_parsing=True)
    assert sorted(form) == [
        ("Body", TEXT),
        ("MessagingServiceSid", SERVICE_SID),
        ("StatusCallback", f"{CALLBACK}?message_id={sent.json['id']}#rc=5&rp=5xx,ct,rt"),
        ("To", US_NUMBER),
    ]


def test_a_new_token_is_used_for_the_very_next_send(
    wired_gateway: Gateway, tenant: Tenant, server: Loopback, factory: Factory
) -> None:
    wired_gateway.send(tenant)
    set_tokens(factory, ACCOUNT, "f" * 32)
    wired_gateway.send(tenant)
    used = [
        base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        for request in server.requests
    ]
    assert used == [f"{ACCOUNT}:{AUTH_TOKEN}", f"{ACCOUNT}:{'f' * 32}"]


BLOCKED = '{"code": 21408, "message": "to +12025550123", "more_info": "x", "status": 400}'


@dataclass
class Case:
    """What the provider does, and what the client and the provider see of it."""

    actions: list[ServerAction]
    status: int
    code: str
    requests: int = 1


OUTCOMES = {
    "refused": Case([answer(400, BLOCKED)], 422, "DestinationBlocked"),
    "wrong credentials": Case([answer(401, '{"code": 20003}')], 502, "ProviderMisconfigured"),
    "throttled": Case([answer(429, "", Retry_After="7")] * 9, 503, "ProviderUnavailable"),
    "queue full": Case([answer(429, '{"code": 21611}')] * 9, 503, "ProviderUnavailable", 4),
    "redirect": Case([answer(307, "", Location="/x")], 504, "SubmissionUnconfirmed"),
    "a proxy's page": Case([answer(502, "<html>")], 504, "SubmissionUnconfirmed"),
    "connection cut": Case([hang_up], 504, "SubmissionUnconfirmed"),
    "answer cut": Case([cut_in_the_middle], 504, "SubmissionUnconfirmed"),
    "no answer": Case([hang], 504, "SubmissionUnconfirmed"),
}


@pytest.mark.parametrize("case", OUTCOMES.values(), ids=OUTCOMES.keys())
def test_each_outcome_of_a_real_call_has_its_answer(
    wired_gateway: Gateway, tenant: Tenant, server: Loopback, case: Case
) -> None:
    server.script += case.actions
    sent = wired_gateway.send(tenant)
    assert (sent.status_code, sent.json["code"]) == (case.status, case.code)
    assert len(server.requests) == case.requests
    if case.status == 503:
        assert int(sent.headers["Retry-After"]) >= 1
    shown = wired_gateway.get("/v1/sms", key=tenant.keys[Role.VIEWER]).json["items"]
    assert [item["status"] for item in shown] == (["pending"] if case.status == 504 else [])


def test_an_answer_about_another_message_confirms_nothing(
    wired_gateway: Gateway, tenant: Tenant, server: Loopback
) -> None:
    """Breaks when an answer is taken for ours unread: let `_is_about_another` return False."""

    def answer_about(**fields: object) -> ServerAction:
        return answer(201, json.dumps({"sid": f"SM{1:032x}", "status": "queued", **fields}))

    other = {"to": "+12025550199", "body": "another text"}
    server.script += [
        answer_about(**other),
        answer_about(sid="SM1"),
        answer_about(sid=f"SM{1:032x}\n"),
        answer_about(sid={"sid": f"SM{1:032x}"}),
    ]
    for _ in range(4):
        sent = wired_gateway.send(tenant)
        assert (sent.status_code, sent.json["code"]) == (504, "SubmissionUnconfirmed")
    # One of the two may differ: a trial account's texts get a prefix.
    prefixed = f"Sent from your Twilio trial account - {TEXT}"
    server.script += [
        answer_about(to=US_NUMBER, body=prefixed),
        answer_about(**other | {"body": prefixed}),
        answer_about(**other | {"to": US_NUMBER}),
        answer_about(**{"from": "x" * 999}),
        answer_about(**{"from": ["+1\x00"]}),
        answer_about(**{"from": "+1\x00"}),
    ]
    for _ in range(6):
        sent = wired_gateway.send(tenant, message=TEXT)
        assert (sent.status_code, sent.json["from_number"]) == (201, None)


def test_a_provider_that_was_busy_for_a_moment_gets_the_message_once(
    wired_gateway: Gateway, tenant: Tenant, server: Loopback
) -> None:
    server.script += [answer(429, ""), answer(429, "", Retry_After="1"), created(5)]
    sent = wired_gateway.send(tenant)
    assert (sent.status_code, sent.json["message_sid"]) == (201, f"SM{5:032x}")
    assert len({request.body for request in server.requests}) == 1
