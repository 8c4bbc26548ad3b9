"""The worker settles unsettled messages and repairs missed callbacks."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from twilio.http.response import Response

from app.messages.reconciliation.claims import CLAIM_LEASE, ClaimLane, claim_due
from app.messages.reconciliation.reconcile import CALLS_PER_SECOND, AccountPace
from app.messages.tables import messages
from app.providers.twilio.transport import NotConfirmed, NotConnected
from support.fake_twilio import refused
from support.threads import together
from support.worker_setup import SID, Worker, fetched, listed

pytestmark = pytest.mark.one_engine


def test_an_unconfirmed_send_is_looked_for_from_sixty_seconds_on(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    found = worker.twilios()
    worker.clock.advance(59)
    assert worker.round(listed(found)) == 0
    worker.clock.advance(1)
    assert worker.round(listed(found)) == 1
    settled = worker.message(message_id)
    assert (settled["status"], settled["message_sid"]) == ("delivered", SID)
    assert settled["num_segments"] == 2
    assert [event["status"] for event in worker.events(message_id)] == ["delivered"]


def test_settling_never_creates_a_message(worker: Worker) -> None:
    worker.unconfirmed()
    worker.clock.advance(60)
    worker.round(listed(worker.twilios()))
    assert len(worker.creates) == 1


def test_submission_of_a_dead_process_is_settled_too(worker: Worker) -> None:
    def die(_: Any) -> Response:
        raise SystemExit

    worker.gateway.twilio.script = [die]
    with pytest.raises(SystemExit):
        worker.gateway.send(worker.tenant)
    worker.clock.advance(60)
    assert worker.round(listed(worker.twilios(status="sent"))) == 1
    (row,) = worker.factory.rows(messages)
    assert (row["submission"], row["status"], row["message_sid"]) == ("accepted", "sent", SID)


@pytest.mark.parametrize(
    "other",
    [
        {"body": "Another text"},
        {"messaging_service_sid": "MG" + "0" * 32},
        {"direction": "inbound"},
        {"to": "+12025550124"},
        {"date_created": "Sat, 31 Jan 2026 11:59:30 +0000"},
        {"date_created": "Sat, 31 Jan 2026 12:01:30 +0000"},
    ],
)
def test_only_a_message_that_fits_in_everything_settles(
    worker: Worker, other: dict[str, Any]
) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(60)
    worker.round(listed(worker.twilios(**other)))
    assert worker.message(message_id)["message_sid"] is None


@pytest.mark.both_engines
def test_two_candidates_settle_nothing(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(60)
    worker.round(listed(worker.twilios(), worker.twilios(sid="SM" + "2" * 32)))
    assert worker.message(message_id)["message_sid"] is None


def test_a_candidate_that_is_another_message_of_ours_is_no_candidate(worker: Worker) -> None:
    first = worker.gateway.send(worker.tenant).json
    message_id = worker.unconfirmed()
    worker.clock.advance(60)
    worker.round(listed(worker.twilios(sid=first["message_sid"]), worker.twilios()))
    assert worker.message(message_id)["message_sid"] == SID


@pytest.mark.both_engines
def test_without_a_trace_it_ends_as_failed_after_fifteen_minutes_with_one_event(
    worker: Worker,
) -> None:
    message_id = worker.unconfirmed(Idempotency_Key="k")
    for _ in range(60):
        worker.clock.advance(15)
        worker.round(listed())
    ended = worker.message(message_id)
    assert (ended["status"], ended["error_code"], ended["message_sid"]) == ("failed", None, None)
    assert [(e["status"], e["reason"], e["applied"]) for e in worker.events(message_id)] == [
        ("failed", "not_confirmed", True)
    ]
    again = worker.gateway.send(worker.tenant, Idempotency_Key="k")
    assert (again.status_code, again.json["status"]) == (201, "failed")
    worker.clock.advance(3600)
    assert worker.round(listed()) == 0


def test_provider_error_is_not_treated_as_not_found(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(3600)
    assert worker.round(NotConnected("down")) == 1
    assert worker.message(message_id)["status"] == "pending"
    worker.clock.advance(60)
    worker.round(listed(worker.twilios(date_created="Sat, 31 Jan 2026 12:00:01 +0000")))
    assert worker.message(message_id)["status"] == "delivered"


def test_a_callback_settles_first_and_the_worker_then_leaves_it_alone(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    assert worker.gateway.callback(message_id, SID, "delivered").status_code == 204
    worker.clock.advance(3600)
    assert worker.round(listed(worker.twilios(status="failed"))) == 0
    assert worker.message(message_id)["status"] == "delivered"


@pytest.mark.both_engines
def test_a_lost_status_is_repaired_at_the_times_of_the_specification(worker: Worker) -> None:
    sent = worker.gateway.send(worker.tenant).json
    asked: list[float] = []
    start = worker.clock.at
    while worker.clock.at - start < timedelta(hours=80):
        worker.clock.advance(900)
        if worker.round(fetched(worker.twilios(sid=sent["message_sid"], status="sent"))):
            asked.append((worker.clock.at - start) / timedelta(minutes=1))
    assert asked == [15, 60, 360, 1440, 4320]
    rests = worker.message(sent["id"])
    assert rests["status"] == "sent"
    assert rests["num_segments"] == 2
    assert len(worker.events(sent["id"])) == 1
    (row,) = worker.factory.rows(messages)
    assert (row["price"], row["price_unit"], row["check_at"]) == ("-0.0079", "USD", None)


def test_a_delivered_status_found_at_the_provider_ends_the_message(worker: Worker) -> None:
    sent = worker.gateway.send(worker.tenant).json
    worker.clock.advance(900)
    worker.round(
        fetched(worker.twilios(sid=sent["message_sid"], status="undelivered", error_code=30003))
    )
    found = worker.message(sent["id"])
    assert (found["status"], found["error_code"]) == ("undelivered", 30003)
    worker.clock.advance(86400)
    assert worker.round() == 0


@pytest.mark.parametrize(
    "answer",
    [refused(20404, 404), refused(20003, 401), Response(500, "<html>"), NotConfirmed("cut")],
)
def test_unclear_answer_changes_nothing_and_is_asked_again(worker: Worker, answer: Any) -> None:
    sent = worker.gateway.send(worker.tenant).json
    worker.clock.advance(900)
    assert worker.round(answer) == 1
    assert worker.message(sent["id"])["status"] == "pending"
    worker.clock.advance(2700)
    assert worker.round(fetched(worker.twilios(sid=sent["message_sid"]))) == 1
    assert worker.message(sent["id"])["status"] == "delivered"


def test_a_message_is_claimed_by_one_worker_and_taken_over_when_its_lease_ends(
    worker: Worker,
) -> None:
    worker.unconfirmed()
    worker.clock.advance(60)

    def claim() -> int:
        with worker.factory.database.writing() as connection:
            return len(claim_due(connection, worker.clock.at, 20, ClaimLane.UNSETTLED))

    assert [claim(), claim()] == [1, 0]
    assert timedelta(seconds=60) > CLAIM_LEASE
    worker.clock.at += CLAIM_LEASE
    assert claim() == 1


def test_a_worker_that_lost_its_lease_cannot_end_the_message(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(900)
    overtaken: list[int] = []

    def slow(_: Any) -> Response:
        worker.clock.at += CLAIM_LEASE
        with worker.factory.database.writing() as connection:
            overtaken.append(len(claim_due(connection, worker.clock.at, 20, ClaimLane.UNSETTLED)))
        return listed()

    worker.round(slow)
    assert overtaken == [1]
    assert worker.message(message_id)["status"] == "pending"


@pytest.mark.both_engines
def test_workers_that_race_for_due_messages_never_share_one(worker: Worker) -> None:
    for _ in range(12):
        worker.unconfirmed()
    worker.clock.advance(60)

    def claim() -> list[Any]:
        with worker.factory.database.writing() as connection:
            due = claim_due(connection, worker.clock.at, 3, ClaimLane.UNSETTLED)
            return [one.message_id for one in due]

    claimed = [one for found in together([claim] * 8) for one in found]
    with worker.factory.database.reading() as connection:
        everything = set(connection.execute(select(messages.c.id)).scalars())
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == everything


def test_failed_check_is_repeated_soon_even_at_the_end(worker: Worker) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_try_again`, take `next_accepted_check`."""
    sent = worker.gateway.send(worker.tenant).json
    for hours in (0.25, 0.75, 5, 18):
        worker.clock.advance(hours * 3600)
        worker.round(fetched(worker.twilios(sid=sent["message_sid"], status="queued")))
    worker.clock.advance(48 * 3600)
    assert worker.round(NotConnected("down")) == 1
    assert worker.round() == 0
    worker.clock.advance(300)
    assert worker.round(fetched(worker.twilios(sid=sent["message_sid"]))) == 1
    assert worker.message(sent["id"])["status"] == "delivered"


def test_an_account_that_is_gone_for_good_is_not_asked_for_ever(worker: Worker) -> None:
    worker.gateway.send(worker.tenant)
    worker.clock.advance(97 * 3600)
    assert worker.round(NotConnected("down")) == 1
    worker.clock.advance(3600)
    assert worker.round() == 0


def test_a_silent_account_is_left_alone_for_the_rest_of_a_round(worker: Worker) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_run`, follow each of them."""
    for _ in range(6):
        worker.gateway.send(worker.tenant)
    worker.clock.advance(900)
    before = len(worker.gateway.twilio.calls)
    assert worker.round(*[NotConnected("down")] * 6) == 6
    assert len(worker.gateway.twilio.calls) - before == 3
    worker.clock.advance(300)
    assert worker.round(*[NotConnected("down")] * 6) == 6


def test_failure_for_one_message_does_not_count_for_its_account(worker: Worker) -> None:
    sent = [worker.gateway.send(worker.tenant).json for _ in range(3)]
    worker.clock.advance(900)
    answers = [fetched(worker.twilios(sid=one["message_sid"])) for one in sent[1:]]
    assert worker.round(NotConfirmed("nonsense"), *answers) == 3
    assert [worker.message(one["id"])["status"] for one in sent].count("delivered") == 2


def test_calls_for_one_account_are_spaced_and_those_for_others_are_not() -> None:
    slept: list[float] = []
    pace = AccountPace(monotonic=lambda: 100.0, sleep=slept.append)
    for account_sid in ("AC1", "AC1", "AC2", "AC1"):
        pace.wait_for_turn(account_sid)
    assert slept == pytest.approx([1 / CALLS_PER_SECOND, 2 / CALLS_PER_SECOND])
