"""An attack cannot fill the disk with refusals, and what is left out is counted."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from twilio.http.response import Response

from app.access.principal import Role
from app.destinations.refusals import LISTED_PER_MINUTE, REFUSALS_KEPT
from app.destinations.tables import refusals
from app.kernel.clock import utc_now
from app.messages.tables import message_events, messages
from support.callbacks import message_id_of
from support.destinations import PolicyClient
from support.factories import BR_NUMBER, US_NUMBER
from support.fake_twilio import Call, refused
from support.replace_services import another_client
from support.time import ManualClock
from support.traffic import id_at, write_refusals

CAP = 120


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at the beginning of this minute: ids are minted by the system's own."""
    return ManualClock(utc_now().replace(second=0, microsecond=0))


def _listed(policy: PolicyClient) -> int:
    return sum(
        row["workspace_id"] == policy.tenant.workspace_id for row in policy.factory.rows(refusals)
    )


def _counts(policy: PolicyClient) -> list[tuple[int, int]]:
    return [(row["refusals"], row["unlisted"]) for row in policy.get("/refusals")["counts"]]


def test_a_minute_lists_120_and_counts_the_rest(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    assert LISTED_PER_MINUTE == CAP
    for _ in range(CAP + 15):
        answer = timed_policy.gateway.send(timed_policy.tenant, to=BR_NUMBER)
        assert (answer.status_code, answer.json["code"]) == (422, "DestinationBlocked")
    assert _listed(timed_policy) == CAP
    assert _counts(timed_policy) == [(CAP + 15, 15)]


def test_the_cap_is_of_a_workspace_and_of_a_minute(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    database, own = timed_policy.factory.database, timed_policy.tenant
    write_refusals(database, own, BR_NUMBER, clock.at, times=CAP)
    assert timed_policy.gateway.send(own, to=BR_NUMBER).status_code == 422
    assert _listed(timed_policy) == CAP
    child = timed_policy.a_child()
    assert child.gateway.send(child.tenant, to=BR_NUMBER).status_code == 422
    assert _listed(child) == 1
    clock.advance(120)
    assert timed_policy.gateway.send(own, to=BR_NUMBER).status_code == 422
    assert _listed(timed_policy) == CAP + 1
    found = timed_policy.get("/refusals")["counts"]
    assert (sum(row["refusals"] for row in found), sum(row["unlisted"] for row in found)) == (
        122,
        1,
    )


def _old(policy: PolicyClient, at: Any) -> dict[str, Any]:
    return {
        "id": id_at(at),
        "workspace_id": policy.tenant.workspace_id,
        "at": at,
        "code": "DestinationBlocked",
        "masked_number": "+55*********67",
        "segments": 1,
    }


def test_rows_of_more_than_90_days_are_swept_a_few_at_a_time(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    assert timedelta(days=90) == REFUSALS_KEPT
    ages = [timedelta(days=91, hours=n) for n in range(25)] + [timedelta(days=89)] * 3
    colleague = timed_policy.a_colleague()
    with timed_policy.factory.database.writing() as c:
        c.execute(refusals.insert(), [_old(timed_policy, clock.at - age) for age in ages])
        c.execute(refusals.insert(), [_old(colleague, clock.at - REFUSALS_KEPT * 2)])
    kept = []
    for _ in range(4):
        timed_policy.gateway.send(timed_policy.tenant, to=BR_NUMBER)
        kept.append(_listed(timed_policy))
    assert kept == [28 + 1 - 10, 19 + 1 - 10, 10 + 1 - 5, 6 + 1]
    assert _listed(colleague) == 1


def _visible(policy: PolicyClient, message_id: str) -> list[int]:
    """What a look at one message, at its events, and at the list shows."""
    key = policy.tenant.keys[Role.VIEWER]
    gateway = another_client(policy.gateway)
    listed = gateway.get("/v1/sms?limit=100", key=key)
    assert listed.status_code == 200
    return [
        gateway.get(f"/v1/sms/{message_id}", key=key).status_code,
        gateway.get(f"/v1/sms/{message_id}/events", key=key).status_code,
        len(listed.json["items"]),
    ]


INVISIBLE = [404, 404, 0]


def test_a_send_that_twilio_blocks_is_never_visible_as_a_message(policy: PolicyClient) -> None:
    seen: list[tuple[str, list[int]]] = []

    def answer(call: Call) -> Response:
        message_id = message_id_of(call)
        seen.append((message_id, _visible(policy, message_id)))
        return refused(21408)

    policy.gateway.twilio.script.append(answer)
    found = policy.gateway.send(policy.tenant, message="a secret text", Idempotency_Key="k")

    assert (found.status_code, found.json["code"]) == (422, "DestinationBlocked")
    assert found.json["details"]["source"] == found.json["details"]["scope"] == "provider"
    assert found.json["details"]["provider_code"] == 21408
    ((message_id, meanwhile),) = seen
    assert meanwhile == _visible(policy, message_id) == INVISIBLE
    (row,) = policy.get("/refusals")["items"]
    assert (row["source"], row["rule"], row["scope"]) == ("provider", "provider", "provider")
    assert (row["provider_code"], row["country"], row["code"]) == (
        21408,
        "US",
        "DestinationBlocked",
    )
    assert row["number"] == "+12*******23"
    (stored,) = _of(policy, messages)
    assert (stored["submission"], stored["body"]) == ("refused", None)

    # A late callback makes no message of it, and the key is free for another try.
    policy.gateway.callback(message_id, "SM" + "1" * 32, "delivered")
    assert _visible(policy, message_id) == INVISIBLE
    assert not [
        e for e in policy.factory.rows(message_events) if str(e["message_id"]) == message_id
    ]
    assert policy.gateway.send(policy.tenant, Idempotency_Key="k").status_code == 201


def _of(policy: PolicyClient, table: Any) -> Iterator[dict[str, Any]]:
    return (row for row in policy.factory.rows(table, workspace_id=policy.tenant.workspace_id))


def test_blocks_by_twilio_and_by_the_policy_are_counted_separately(policy: PolicyClient) -> None:
    policy.gateway.twilio.script.append(refused(21408))
    policy.gateway.send(policy.tenant, to=US_NUMBER)
    policy.block("US")
    policy.gateway.send(policy.tenant, to=US_NUMBER)
    assert [row["source"] for row in policy.get("/refusals")["items"]] == ["policy", "provider"]
    assert _counts(policy) == [(2, 0)]
    released = policy.trying.allow("US").json["impact"]["would_release"]
    assert released == [{"country": "US", "refusals": 1}]


def test_no_secret_of_a_refusal_is_logged(
    policy: PolicyClient, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.gateway.send(policy.tenant, to=BR_NUMBER, message="a secret text")
    policy.check(BR_NUMBER)
    logged = capsys.readouterr()
    assert "request_id" in logged.out
    for text in (logged.out, logged.err):
        assert not re.search(r"\+?5511961234567", text)
        assert "secret" not in text
