"""An attack cannot fill the disk with refusals, and what is left out is counted."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from twilio.http.response import Response

from app.access.roles import Role
from app.destinations.refusal import KEPT, LISTED_PER_MINUTE
from app.destinations.tables import refusals
from app.kernel.clock import utc_now
from app.messages.tables import message_events, messages
from support.callbacks import message_id_of
from support.destinations import Desk
from support.fake_twilio import Call, refused
from support.rewire import another_client
from support.time import ManualClock
from support.traffic import id_at, write_refusals
from support.world import BR_NUMBER, US_NUMBER

CAP = 120


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at the beginning of this minute: ids are minted by the system's own."""
    return ManualClock(utc_now().replace(second=0, microsecond=0))


def _listed(desk: Desk) -> int:
    return sum(row["workspace_id"] == desk.tenant.workspace_id for row in desk.world.rows(refusals))


def _counts(desk: Desk) -> list[tuple[int, int]]:
    return [(row["refusals"], row["unlisted"]) for row in desk.get("/refusals")["counts"]]


def test_a_minute_lists_120_and_counts_the_rest(timed_desk: Desk, clock: ManualClock) -> None:
    assert LISTED_PER_MINUTE == CAP
    for _ in range(CAP + 15):
        answer = timed_desk.gateway.send(timed_desk.tenant, to=BR_NUMBER)
        assert (answer.status_code, answer.json["code"]) == (422, "DestinationBlocked")
    assert _listed(timed_desk) == CAP
    assert _counts(timed_desk) == [(CAP + 15, 15)]


def test_the_cap_is_of_a_workspace_and_of_a_minute(timed_desk: Desk, clock: ManualClock) -> None:
    database, own = timed_desk.world.database, timed_desk.tenant
    write_refusals(database, own, BR_NUMBER, clock.at, times=CAP)
    assert timed_desk.gateway.send(own, to=BR_NUMBER).status_code == 422
    assert _listed(timed_desk) == CAP
    child = timed_desk.a_child()
    assert child.gateway.send(child.tenant, to=BR_NUMBER).status_code == 422
    assert _listed(child) == 1
    clock.advance(120)
    assert timed_desk.gateway.send(own, to=BR_NUMBER).status_code == 422
    assert _listed(timed_desk) == CAP + 1
    found = timed_desk.get("/refusals")["counts"]
    assert (sum(row["refusals"] for row in found), sum(row["unlisted"] for row in found)) == (
        122,
        1,
    )


def _old(desk: Desk, at: Any) -> dict[str, Any]:
    return {
        "id": id_at(at),
        "workspace_id": desk.tenant.workspace_id,
        "at": at,
        "code": "DestinationBlocked",
        "masked_number": "+55*********67",
        "segments": 1,
    }


def test_rows_of_more_than_90_days_are_swept_a_few_at_a_time(
    timed_desk: Desk, clock: ManualClock
) -> None:
    assert timedelta(days=90) == KEPT
    ages = [timedelta(days=91, hours=n) for n in range(25)] + [timedelta(days=89)] * 3
    colleague = timed_desk.a_colleague()
    with timed_desk.world.database.writing() as c:
        c.execute(refusals.insert(), [_old(timed_desk, clock.at - age) for age in ages])
        c.execute(refusals.insert(), [_old(colleague, clock.at - KEPT * 2)])
    kept = []
    for _ in range(4):
        timed_desk.gateway.send(timed_desk.tenant, to=BR_NUMBER)
        kept.append(_listed(timed_desk))
    assert kept == [28 + 1 - 10, 19 + 1 - 10, 10 + 1 - 5, 6 + 1]
    assert _listed(colleague) == 1


def _visible(desk: Desk, message_id: str) -> list[int]:
    """What a look at one message, at its events, and at the list shows."""
    key = desk.tenant.keys[Role.VIEWER]
    gateway = another_client(desk.gateway)
    listed = gateway.get("/v1/sms?limit=100", key=key)
    assert listed.status_code == 200
    return [
        gateway.get(f"/v1/sms/{message_id}", key=key).status_code,
        gateway.get(f"/v1/sms/{message_id}/events", key=key).status_code,
        len(listed.json["items"]),
    ]


INVISIBLE = [404, 404, 0]


def test_what_twilio_blocks_is_never_visible_as_a_message_not_even_meanwhile(desk: Desk) -> None:
    seen: list[tuple[str, list[int]]] = []

    def answer(call: Call) -> Response:
        message_id = message_id_of(call)
        seen.append((message_id, _visible(desk, message_id)))
        return refused(21408)

    desk.gateway.twilio.script.append(answer)
    found = desk.gateway.send(desk.tenant, message="a secret text", Idempotency_Key="k")

    assert (found.status_code, found.json["code"]) == (422, "DestinationBlocked")
    assert found.json["details"]["source"] == found.json["details"]["scope"] == "provider"
    assert found.json["details"]["provider_code"] == 21408
    ((message_id, meanwhile),) = seen
    assert meanwhile == _visible(desk, message_id) == INVISIBLE
    (row,) = desk.get("/refusals")["items"]
    assert (row["source"], row["rule"], row["scope"]) == ("provider", "provider", "provider")
    assert (row["provider_code"], row["country"], row["code"]) == (
        21408,
        "US",
        "DestinationBlocked",
    )
    assert row["number"] == "+12*******23"
    (stored,) = _of(desk, messages)
    assert (stored["submission"], stored["body"]) == ("refused", None)

    # A late callback makes no message of it, and the key is free for another try.
    desk.gateway.callback(message_id, "SM" + "1" * 32, "delivered")
    assert _visible(desk, message_id) == INVISIBLE
    assert not [e for e in desk.world.rows(message_events) if str(e["message_id"]) == message_id]
    assert desk.gateway.send(desk.tenant, Idempotency_Key="k").status_code == 201


def _of(desk: Desk, table: Any) -> Iterator[dict[str, Any]]:
    return (
        row for row in desk.world.rows(table) if row["workspace_id"] == desk.tenant.workspace_id
    )


def test_what_twilio_blocks_counts_apart_from_what_the_policy_blocks(desk: Desk) -> None:
    desk.gateway.twilio.script.append(refused(21408))
    desk.gateway.send(desk.tenant, to=US_NUMBER)
    desk.block("US")
    desk.gateway.send(desk.tenant, to=US_NUMBER)
    assert [row["source"] for row in desk.get("/refusals")["items"]] == ["policy", "provider"]
    assert _counts(desk) == [(2, 0)]
    released = desk.trying.allow("US").json["impact"]["would_release"]
    assert released == [{"country": "US", "refusals": 1}]


def test_no_secret_of_a_refusal_is_logged(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.gateway.send(desk.tenant, to=BR_NUMBER, message="a secret text")
    desk.check(BR_NUMBER)
    logged = capsys.readouterr()
    assert "request_id" in logged.out
    for text in (logged.out, logged.err):
        assert not re.search(r"\+?5511961234567", text)
        assert "secret" not in text
