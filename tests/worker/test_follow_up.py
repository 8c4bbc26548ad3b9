"""The worker settles what is unsettled and repairs what no callback has told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from twilio.http.response import Response

from app.messages.account_pace import CALLS_PER_SECOND, AccountPace
from app.messages.due import LEASE, claim_due
from app.messages.tables import messages
from app.providers.twilio.transport import NotConfirmed, NotConnected
from support.bench import SID, Bench, fetched, listed
from support.fake_twilio import refused


def test_an_unconfirmed_send_is_looked_for_from_sixty_seconds_on(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    found = bench.twilios()
    bench.clock.advance(59)
    assert bench.round(listed(found)) == 0
    bench.clock.advance(1)
    assert bench.round(listed(found)) == 1
    settled = bench.message(message_id)
    assert (settled["status"], settled["message_sid"]) == ("delivered", SID)
    assert settled["num_segments"] == 2
    assert [event["status"] for event in bench.events(message_id)] == ["delivered"]


def test_settling_never_creates_a_message(bench: Bench) -> None:
    bench.unconfirmed()
    bench.clock.advance(60)
    bench.round(listed(bench.twilios()))
    assert len(bench.creates) == 1


def test_a_submission_whose_process_died_is_settled_alike(bench: Bench) -> None:
    def die(_: Any) -> Response:
        raise SystemExit

    bench.gateway.twilio.script = [die]
    with pytest.raises(SystemExit):
        bench.gateway.send(bench.tenant)
    bench.clock.advance(60)
    assert bench.round(listed(bench.twilios(status="sent"))) == 1
    (row,) = bench.world.rows(messages)
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
    bench: Bench, other: dict[str, Any]
) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(60)
    bench.round(listed(bench.twilios(**other)))
    assert bench.message(message_id)["message_sid"] is None


def test_two_candidates_settle_nothing(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(60)
    bench.round(listed(bench.twilios(), bench.twilios(sid="SM" + "2" * 32)))
    assert bench.message(message_id)["message_sid"] is None


def test_a_candidate_that_is_another_message_of_ours_is_no_candidate(bench: Bench) -> None:
    first = bench.gateway.send(bench.tenant).json
    message_id = bench.unconfirmed()
    bench.clock.advance(60)
    bench.round(listed(bench.twilios(sid=first["message_sid"]), bench.twilios()))
    assert bench.message(message_id)["message_sid"] == SID


def test_without_a_trace_it_ends_as_failed_after_fifteen_minutes_with_one_event(
    bench: Bench,
) -> None:
    message_id = bench.unconfirmed(Idempotency_Key="k")
    for _ in range(60):
        bench.clock.advance(15)
        bench.round(listed())
    ended = bench.message(message_id)
    assert (ended["status"], ended["error_code"], ended["message_sid"]) == ("failed", None, None)
    assert [(e["status"], e["reason"], e["applied"]) for e in bench.events(message_id)] == [
        ("failed", "not_confirmed", True)
    ]
    again = bench.gateway.send(bench.tenant, Idempotency_Key="k")
    assert (again.status_code, again.json["status"]) == (201, "failed")
    bench.clock.advance(3600)
    assert bench.round(listed()) == 0


def test_a_provider_that_cannot_be_asked_has_not_said_that_there_is_no_trace(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(3600)
    assert bench.round(NotConnected("down")) == 1
    assert bench.message(message_id)["status"] == "pending"
    bench.clock.advance(60)
    bench.round(listed(bench.twilios(date_created="Sat, 31 Jan 2026 12:00:01 +0000")))
    assert bench.message(message_id)["status"] == "delivered"


def test_a_callback_settles_first_and_the_worker_then_leaves_it_alone(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    assert bench.gateway.callback(message_id, SID, "delivered").status_code == 204
    bench.clock.advance(3600)
    assert bench.round(listed(bench.twilios(status="failed"))) == 0
    assert bench.message(message_id)["status"] == "delivered"


def test_a_lost_status_is_repaired_at_the_times_of_the_specification(bench: Bench) -> None:
    sent = bench.gateway.send(bench.tenant).json
    asked: list[float] = []
    start = bench.clock.at
    while bench.clock.at - start < timedelta(hours=80):
        bench.clock.advance(300)
        if bench.round(fetched(bench.twilios(sid=sent["message_sid"], status="sent"))):
            asked.append((bench.clock.at - start) / timedelta(minutes=1))
    assert asked == [15, 60, 360, 1440, 4320]
    rests = bench.message(sent["id"])
    assert rests["status"] == "sent"
    assert rests["num_segments"] == 2
    assert len(bench.events(sent["id"])) == 1
    (row,) = bench.world.rows(messages)
    assert (row["price"], row["price_unit"], row["check_at"]) == ("-0.0079", "USD", None)


def test_a_delivered_status_found_at_the_provider_ends_the_message(bench: Bench) -> None:
    sent = bench.gateway.send(bench.tenant).json
    bench.clock.advance(900)
    bench.round(
        fetched(bench.twilios(sid=sent["message_sid"], status="undelivered", error_code=30003))
    )
    found = bench.message(sent["id"])
    assert (found["status"], found["error_code"]) == ("undelivered", 30003)
    bench.clock.advance(86400)
    assert bench.round() == 0


@pytest.mark.parametrize(
    "answer",
    [refused(20404, 404), refused(20003, 401), Response(500, "<html>"), NotConfirmed("cut")],
)
def test_what_the_provider_cannot_say_changes_nothing_and_is_asked_again(
    bench: Bench, answer: Any
) -> None:
    sent = bench.gateway.send(bench.tenant).json
    bench.clock.advance(900)
    assert bench.round(answer) == 1
    assert bench.message(sent["id"])["status"] == "pending"
    bench.clock.advance(2700)
    assert bench.round(fetched(bench.twilios(sid=sent["message_sid"]))) == 1
    assert bench.message(sent["id"])["status"] == "delivered"


def test_a_message_is_claimed_by_one_worker_and_taken_over_when_its_lease_ends(
    bench: Bench,
) -> None:
    bench.unconfirmed()
    bench.clock.advance(60)

    def claim() -> int:
        with bench.world.database.writing() as connection:
            return len(claim_due(connection, bench.clock.at, 20))

    assert [claim(), claim()] == [1, 0]
    assert timedelta(seconds=60) > LEASE
    bench.clock.at += LEASE
    assert claim() == 1


def test_a_worker_that_lost_its_lease_cannot_end_the_message(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(900)
    overtaken: list[int] = []

    def slow(_: Any) -> Response:
        bench.clock.at += LEASE
        with bench.world.database.writing() as connection:
            overtaken.append(len(claim_due(connection, bench.clock.at, 20)))
        return listed()

    bench.round(slow)
    assert overtaken == [1]
    assert bench.message(message_id)["status"] == "pending"


def test_workers_that_race_for_due_messages_never_share_one(
    bench: Bench, run_at_once: Callable[..., list[Any]]
) -> None:
    for _ in range(12):
        bench.unconfirmed()
    bench.clock.advance(60)

    def claim() -> list[Any]:
        with bench.world.database.writing() as connection:
            return [due.message_id for due in claim_due(connection, bench.clock.at, 3)]

    claimed = [one for found in run_at_once(claim, 8) for one in found]
    with bench.world.database.reading() as connection:
        everything = set(connection.execute(select(messages.c.id)).scalars())
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == everything


def test_who_could_not_be_asked_is_asked_again_soon_even_at_the_last_time(bench: Bench) -> None:
    """Break: in `app/messages/follow_up.py`, `_try_again`, take `next_accepted_check`."""
    sent = bench.gateway.send(bench.tenant).json
    for hours in (0.25, 0.75, 5, 18):
        bench.clock.advance(hours * 3600)
        bench.round(fetched(bench.twilios(sid=sent["message_sid"], status="queued")))
    bench.clock.advance(48 * 3600)
    assert bench.round(NotConnected("down")) == 1
    assert bench.round() == 0
    bench.clock.advance(300)
    assert bench.round(fetched(bench.twilios(sid=sent["message_sid"]))) == 1
    assert bench.message(sent["id"])["status"] == "delivered"


def test_an_account_that_is_gone_for_good_is_not_asked_for_ever(bench: Bench) -> None:
    bench.gateway.send(bench.tenant)
    bench.clock.advance(97 * 3600)
    assert bench.round(NotConnected("down")) == 1
    bench.clock.advance(3600)
    assert bench.round() == 0


def test_a_silent_account_is_left_alone_for_the_rest_of_a_round(bench: Bench) -> None:
    """Break: in `app/messages/follow_up.py`, `_run`, follow each of them."""
    for _ in range(6):
        bench.gateway.send(bench.tenant)
    bench.clock.advance(900)
    before = len(bench.gateway.twilio.calls)
    assert bench.round(*[NotConnected("down")] * 6) == 6
    assert len(bench.gateway.twilio.calls) - before == 3
    bench.clock.advance(300)
    assert bench.round(*[NotConnected("down")] * 6) == 6


def test_one_message_that_twilio_chokes_on_does_not_stand_for_its_account(bench: Bench) -> None:
    sent = [bench.gateway.send(bench.tenant).json for _ in range(3)]
    bench.clock.advance(900)
    answers = [fetched(bench.twilios(sid=one["message_sid"])) for one in sent[1:]]
    assert bench.round(NotConfirmed("nonsense"), *answers) == 3
    assert [bench.message(one["id"])["status"] for one in sent].count("delivered") == 2


def test_calls_for_one_account_are_spaced_and_those_for_others_are_not() -> None:
    slept: list[float] = []
    pace = AccountPace(monotonic=lambda: 100.0, sleep=slept.append)
    for account_sid in ("AC1", "AC1", "AC2", "AC1"):
        pace.wait_for_turn(account_sid)
    assert slept == pytest.approx([1 / CALLS_PER_SECOND, 2 / CALLS_PER_SECOND])
