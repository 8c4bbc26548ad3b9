"""What the worker finds in a list is a guess: it yields to a signature and names only what is clear."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, update
from twilio.http.response import Response

from app.access.tables import provider_accounts, workspaces
from app.messages.check_times import UNSETTLED_GIVEN_UP
from app.messages.erase import Erase
from app.messages.purge import Purge
from app.messages.tables import messages
from app.providers.twilio.transport import NotConfirmed
from app.use_cases.tables import use_cases
from support.bench import SID, Bench, another_follow_up, listed
from support.fake_twilio import Call, accepted
from support.world import US_NUMBER

OTHER_SID = "SM" + "2" * 32
THIRD_SID = "SM" + "3" * 32


def row(bench: Bench, message_id: str) -> dict[str, Any]:
    return next(one for one in bench.world.rows(messages) if str(one["id"]) == message_id)


def ends(bench: Bench, *ids: str) -> list[tuple[str, str | None]]:
    return [(row(bench, one)["status"], row(bench, one)["message_sid"]) for one in ids]


def reasons(bench: Bench, message_id: str) -> list[str | None]:
    return [event["reason"] for event in bench.events(message_id)]


def at(bench: Bench, seconds: float = 0) -> str:
    return format_datetime(bench.clock.at + timedelta(seconds=seconds))


def to_the_end(bench: Bench, *found: dict[str, Any]) -> None:
    """Let the worker look until every submission's time is over, and once more."""
    for _ in range(UNSETTLED_GIVEN_UP // timedelta(seconds=60) + 3):
        bench.clock.advance(60)
        while bench.round(*[listed(*found)] * 20):
            pass


def guess(bench: Bench, status: str = "failed") -> tuple[str, str]:
    """Settle a submission by a list with what belongs to another one; the ids of both."""
    first = bench.unconfirmed()
    bench.clock.advance(60)
    second = bench.unconfirmed()
    created = at(bench, -5)
    bench.clock.advance(1)
    with bench.world.database.writing() as c:  # the second is not there when the worker looks
        c.execute(
            update(messages)
            .where(messages.c.id == row(bench, second)["id"])
            .values(submission="refused")
        )
    bench.round(listed(bench.twilios(status=status, date_created=created, error_code=30003)))
    with bench.world.database.writing() as c:
        c.execute(
            update(messages)
            .where(messages.c.id == row(bench, second)["id"])
            .values(submission="unconfirmed")
        )
    assert ends(bench, first) == [(status, SID)]
    assert row(bench, first)["sid_source"] == "list"
    return first, second


@pytest.mark.parametrize("guessed", ["failed", "delivered", "undelivered", "sent"])
@pytest.mark.parametrize("reported", ["queued", "sent", "delivered", "failed"])
def test_signed_callback_takes_its_sid_back_from_a_guess(
    bench: Bench, guessed: str, reported: str
) -> None:
    """Break: in `app/messages/advance.py`, `_FITS`, leave out `~_IS_GUESS`."""
    first, second = guess(bench, guessed)
    assert bench.gateway.callback(second, SID, reported).status_code == 204
    status = "pending" if reported == "queued" else reported
    assert ends(bench, first, second) == [("pending", None), (status, SID)]
    found = row(bench, first)
    assert [found[name] for name in ("error_code", "errored_at", "delivered_at", "price")] == [
        None
    ] * 4
    assert (found["submission"], found["check_at"]) == ("unconfirmed", bench.clock.at)
    to_the_end(bench, bench.twilios(status=reported, date_created=at(bench, -6)))
    assert ends(bench, first) == [("failed", None)]
    assert reasons(bench, first)[-2:] == ["conflict", "not_confirmed"]


def test_message_that_lost_its_guess_is_settled_by_its_own_callback(bench: Bench) -> None:
    first, second = guess(bench)
    bench.gateway.callback(second, SID, "delivered")
    bench.gateway.callback(first, OTHER_SID, "delivered")
    assert ends(bench, first, second) == [("delivered", OTHER_SID), ("delivered", SID)]


def test_callback_corrects_a_guess_about_its_own_message(bench: Bench) -> None:
    """Break: in `app/messages/track.py`, do not call `_over_a_guess`."""
    first, _ = guess(bench, "failed")
    assert bench.gateway.callback(first, OTHER_SID, "delivered").status_code == 204
    assert ends(bench, first) == [("delivered", OTHER_SID)]
    assert row(bench, first)["error_code"] is None


def test_signed_callback_outweighs_that_no_trace_was_found(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    to_the_end(bench)
    assert ends(bench, message_id) == [("failed", None)]
    bench.gateway.callback(message_id, SID, "delivered")
    assert ends(bench, message_id) == [("delivered", SID)]
    assert row(bench, message_id)["errored_at"] is None


def test_what_is_known_for_certain_is_not_taken_back(bench: Bench) -> None:
    first = bench.gateway.send(bench.tenant).json
    second = bench.gateway.send(bench.tenant).json
    bench.gateway.callback(second["id"], first["message_sid"], "failed")
    assert ends(bench, first["id"], second["id"]) == [
        ("pending", first["message_sid"]),
        ("pending", second["message_sid"]),
    ]
    third = bench.unconfirmed()
    bench.gateway.callback(third, first["message_sid"], "failed")
    assert ends(bench, third) == [("pending", None)]


def test_callback_of_another_account_takes_nothing_back(bench: Bench) -> None:
    first, second = guess(bench)
    other = "AC" + "b" * 32
    bench.world.tenant(bench.tenant.organization_id, "Other", account_sid=other)
    bench.gateway.callback(second, SID, "delivered", account_sid=other)
    bench.gateway.callback(first, OTHER_SID, "delivered", account_sid=other)
    assert ends(bench, first, second) == [("failed", SID), ("pending", None)]


def test_guess_and_callback_at_the_same_moment_leave_the_sid_with_the_callback(
    bench: Bench,
) -> None:
    """Break: in `app/messages/follow_up.py`, `_repair`, do not call `_is_taken_back`."""
    first, second = guess(bench)
    with bench.world.database.writing() as c:
        of_second = messages.c.id == row(bench, second)["id"]
        c.execute(
            update(messages)
            .where(of_second)
            .values(message_sid=SID, sid_source="callback", submission="accepted")
        )
    bench.clock.advance(60)
    bench.round(*[listed()] * 5)
    assert ends(bench, first) == [("pending", None)]


def test_answer_that_comes_after_a_guess_outweighs_it(bench: Bench) -> None:
    """Break: in `app/messages/settle.py`, `_accept`, leave out `_accept_over_a_guess`."""

    def sleep(_: Call) -> Response:
        bench.clock.advance(70)
        bench.round(listed(bench.twilios(sid=OTHER_SID, status="failed", date_created=created)))
        return accepted(sid=SID)

    created = at(bench)
    bench.gateway.twilio.script = [sleep]
    answer = bench.gateway.send(bench.tenant)
    assert (answer.status_code, answer.json["message_sid"]) == (201, SID)
    assert ends(bench, answer.json["id"]) == [("pending", SID)]
    assert row(bench, answer.json["id"])["sid_source"] == "answer"


def test_one_candidate_for_two_submissions_settles_neither(bench: Bench) -> None:
    """Break: in `app/messages/matching.py`, `_group`, leave out the other submissions."""
    first = bench.unconfirmed()
    bench.clock.advance(20)
    second = bench.unconfirmed()
    found = bench.twilios(date_created=at(bench))
    to_the_end(bench, found)
    assert ends(bench, first, second) == [("pending", None)] * 2
    assert [reasons(bench, one) for one in (first, second)] == [["unclear"]] * 2
    bench.gateway.callback(second, SID, "delivered")
    bench.clock.advance(6 * 3600)
    bench.round(*[listed(found)] * 5)
    assert ends(bench, first, second) == [("failed", None), ("delivered", SID)]


def test_other_submission_on_its_way_is_waited_for(bench: Bench) -> None:
    """Break: in `app/messages/matching.py`, `match`, leave out `CALL_LIMIT`."""
    first = bench.unconfirmed()
    bench.clock.advance(45)

    def sleep(_: Call) -> Response:
        found = bench.twilios(sid=OTHER_SID, date_created=at(bench))
        bench.clock.advance(16)
        bench.round(listed(found, bench.twilios(date_created=at(bench, -60))))
        assert ends(bench, first) == [("pending", None)]
        return accepted(sid=OTHER_SID)

    bench.gateway.twilio.script = [sleep]
    second = bench.gateway.send(bench.tenant).json
    bench.clock.advance(15)
    bench.round(listed(bench.twilios(date_created=at(bench, -75))))
    assert ends(bench, first, second["id"]) == [("delivered", SID), ("pending", OTHER_SID)]


@pytest.mark.parametrize("number", [2, 3])
def test_as_many_candidates_as_submissions_settle_all_in_the_order_of_time(
    bench: Bench, number: int
) -> None:
    sent, found = [], []
    for sid in (SID, OTHER_SID, THIRD_SID)[:number]:
        sent.append(bench.unconfirmed())
        found.append(bench.twilios(sid=sid, date_created=at(bench, 1)))
        bench.clock.advance(10)
    bench.clock.advance(60)
    bench.round(*[listed(*reversed(found))] * number)
    assert ends(bench, *sent) == [("delivered", one["sid"]) for one in found]


def test_fewer_candidates_settle_as_many_at_the_end_and_the_rest_stays_pending(
    bench: Bench,
) -> None:
    sent, found = [], []
    for sid in (None, SID, OTHER_SID):
        sent.append(bench.unconfirmed())
        if sid is not None:
            found.append(bench.twilios(sid=sid, date_created=at(bench, 1)))
        bench.clock.advance(15)
    bench.clock.advance(60)
    bench.round(*[listed(*found)] * 3)
    assert ends(bench, *sent) == [("pending", None)] * 3
    to_the_end(bench, *found)
    assert ends(bench, *sent) == [("pending", None), ("delivered", SID), ("delivered", OTHER_SID)]
    assert reasons(bench, sent[0]) == ["unclear"]


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "changed",
    [
        [{}, {"sid": OTHER_SID}],
        [{"body": ""}],
        [{"body": "A text that the provider has changed"}],
        [{"messaging_service_sid": None}],
        [{"date_created": None}],
    ],
)
def test_unclear_trace_keeps_a_message_pending(bench: Bench, changed: list[dict[str, Any]]) -> None:
    """Break: in `app/messages/follow_up.py`, `_look_again`, end it whatever the trace."""
    message_id = bench.unconfirmed()
    found = [bench.twilios(**{"date_created": at(bench)} | one) for one in changed]
    to_the_end(bench, *found)
    assert ends(bench, message_id) == [("pending", None)]
    assert reasons(bench, message_id) == ["unclear"]
    bench.gateway.callback(message_id, SID, "delivered")
    assert ends(bench, message_id) == [("delivered", SID)]


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "changed",
    [
        {"to": "+12025550199"},
        {"direction": "inbound"},
        {"messaging_service_sid": "MG" + "0" * 32},
        {"date_created": "Sat, 31 Jan 2026 11:00:00 +0000"},
        {"date_created": "Sat, 31 Jan 2026 12:10:00 +0000"},
    ],
)
def test_what_cannot_be_the_message_keeps_nothing_pending(
    bench: Bench, changed: dict[str, Any]
) -> None:
    message_id = bench.unconfirmed()
    to_the_end(bench, bench.twilios(**{"date_created": at(bench)} | changed))
    assert ends(bench, message_id) == [("failed", None)]
    assert reasons(bench, message_id) == ["not_confirmed"]


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("Your code is 1234", "Sent from your Twilio trial account - Your code is 1234"),
        ("It\u2019s \u201c1234\u201d \u2013 soon\u2026", 'It\'s "1234" - soon...'),
        ("Ünïcode ½ 🎉", "Sent from your Twilio trial account - Ünïcode ½ 🎉"),
        ("🎉", "Sent from your Twilio trial account - 🎉"),
    ],
)
def test_text_that_twilio_changed_is_recognised(bench: Bench, sent: str, found: str) -> None:
    message_id = bench.unconfirmed(message=sent)
    created = at(bench)
    bench.clock.advance(60)
    bench.round(listed(bench.twilios(body=found, date_created=created)))
    assert ends(bench, message_id) == [("delivered", SID)]


@pytest.mark.one_engine
def test_text_that_only_ends_alike_is_not_taken_for_the_message(bench: Bench) -> None:
    message_id = bench.unconfirmed(message="1234")
    created = at(bench)
    bench.clock.advance(60)
    bench.round(listed(bench.twilios(body="Your code is 1234", date_created=created)))
    assert ends(bench, message_id) == [("pending", None)]


def test_service_that_was_changed_meanwhile_hides_nothing(bench: Bench) -> None:
    """Break: in `app/messages/send.py`, `_new_submission`, leave out the service."""
    message_id = bench.unconfirmed()
    created = at(bench)
    bench.world.set(use_cases, bench.tenant.use_case_id, messaging_service_sid="MG" + "9" * 32)
    bench.clock.advance(60)
    bench.round(listed(bench.twilios(date_created=created)))
    assert ends(bench, message_id) == [("delivered", SID)]


def test_resend_through_another_service_is_recognised_by_both(bench: Bench) -> None:
    bench.world.set(use_cases, bench.tenant.use_case_id, on_unconfirmed="resend")
    message_id = bench.unconfirmed()
    bench.clock.advance(120)
    other = "MG" + "9" * 32
    bench.world.set(use_cases, bench.tenant.use_case_id, messaging_service_sid=other)
    bench.round(listed(), NotConfirmed("cut"))
    created = at(bench)
    bench.clock.advance(60)
    bench.round(listed(bench.twilios(messaging_service_sid=other, date_created=created)))
    assert ends(bench, message_id) == [("delivered", SID)]


def erase(bench: Bench) -> None:
    purge = Purge(bench.world.database, bench.gateway.services.clock, "k" * 32)
    assert Erase(bench.world.database, purge)(US_NUMBER) >= 1


def purge_all(bench: Bench) -> None:
    bench.world.set(
        workspaces,
        bench.tenant.workspace_id,
        body_retention_days=-3650,
        number_retention_days=-3650,
    )
    Purge(bench.world.database, bench.gateway.services.clock, "k" * 32)()


@pytest.mark.parametrize("forget", [erase, purge_all])
def test_erased_number_is_kept_until_the_message_is_settled(
    bench: Bench, forget: Callable[[Bench], None]
) -> None:
    """Break: in `app/messages/purge.py`, keep no number."""
    message_id = bench.unconfirmed()
    created = at(bench)
    bench.clock.advance(60)
    forget(bench)
    assert row(bench, message_id)["to_number"].startswith("~")
    bench.round(listed(bench.twilios(date_created=created)))
    assert ends(bench, message_id) == [("delivered", SID)]
    assert US_NUMBER not in str(bench.world.rows(messages))


def test_erased_number_is_forgotten_once_no_trace_was_found(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    erase(bench)
    to_the_end(bench)
    assert ends(bench, message_id) == [("failed", None)]
    assert US_NUMBER not in str(bench.world.rows(messages))


@pytest.mark.parametrize("forget", [erase, purge_all])
@pytest.mark.parametrize("is_before", [True, False])
def test_erased_number_is_forgotten_once_nothing_is_asked_any_more(
    bench: Bench, forget: Callable[[Bench], None], is_before: bool
) -> None:
    """Break: in `app/messages/due.py`, `schedule`, or in `app/messages/purge.py`, keep it."""
    bench.unconfirmed()
    if is_before:
        forget(bench)
    bench.clock.advance(97 * 3600)
    bench.round(NotConfirmed("cut"))
    if not is_before:
        forget(bench)
    (found,) = bench.world.rows(messages)
    assert (found["status"], found["check_at"]) == ("pending", None)
    assert US_NUMBER not in str(found)


def test_erased_number_is_forgotten_with_its_account(bench: Bench) -> None:
    """Break: in `app/messages/due.py`, `_claim`, keep it for messages without an account."""
    bench.unconfirmed()
    erase(bench)
    bench.clock.advance(60)
    with bench.world.database.writing() as c:
        c.execute(update(workspaces).values(account_sid=None))
        c.execute(delete(provider_accounts))
    bench.round()
    assert US_NUMBER not in str(bench.world.rows(messages))


@pytest.mark.one_engine
def test_number_that_was_erased_before_it_was_kept_is_unclear(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    erase(bench)
    with bench.world.database.writing() as c:
        c.execute(update(messages).values(sent_number=None))
    to_the_end(bench)
    assert ends(bench, message_id) == [("pending", None)]
    assert reasons(bench, message_id) == ["unclear"]


@pytest.mark.one_engine
def test_more_messages_than_can_be_read_are_no_proof_of_absence(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    full = Response(200, json.dumps({"messages": [], "next_page_uri": "/x?Page=1"}))
    bench.clock.advance(900)
    bench.round(*[full] * 100)
    assert len(bench.gateway.twilio.script) == 100 - 20
    assert ends(bench, message_id) == [("pending", None)]
    assert reasons(bench, message_id) == ["unclear"]


def test_submission_that_is_being_written_is_waited_for(bench: Bench) -> None:
    """Break: in `app/messages/due.py`, `lock_unsettled`, do not compare with what was expected."""
    if bench.world.database.is_sqlite:
        return  # one transaction writes at a time
    first = bench.unconfirmed()
    bench.clock.advance(20)
    second = bench.unconfirmed()
    found = bench.twilios(date_created=at(bench))
    bench.clock.advance(60)
    with bench.world.database.writing() as holding:
        of_second = messages.c.id == row(bench, second)["id"]
        holding.execute(update(messages).where(of_second).values(checks=7))
        assert bench.round(listed(found)) == 1
    assert ends(bench, first, second) == [("pending", None)] * 2


def test_two_workers_never_settle_two_messages_by_one_candidate(
    bench: Bench, run_at_once: Callable[..., list[Any]]
) -> None:
    ids, found = [], []
    for place in range(6):
        ids.append(bench.unconfirmed())
        found.append(bench.twilios(sid=f"SM{place:032x}", date_created=at(bench)))
        bench.clock.advance(1)
    bench.clock.advance(60)
    bench.gateway.twilio.script = [listed(*found)] * 200
    workers = [another_follow_up(bench.world, bench.gateway, bench.clock) for _ in range(4)]
    waiting = list(workers)
    run_at_once(lambda: waiting.pop().run_once(), 4)
    for _ in range(10):
        bench.clock.advance(15)
        workers[0].settle_once()
    sids = [sid for _, sid in ends(bench, *ids)]
    assert sids == [one["sid"] for one in found]


def test_callbacks_and_workers_at_once_leave_every_sid_with_its_message(
    bench: Bench, run_at_once: Callable[..., list[Any]]
) -> None:
    ids = []
    found = []
    for place in range(4):
        ids.append(bench.unconfirmed())
        found.append(bench.twilios(sid=f"SM{place:032x}", date_created=at(bench)))
        bench.clock.advance(1)
    bench.clock.advance(60)
    bench.gateway.twilio.script = [listed(*found)] * 200
    # Each callback names another candidate than the order of time would.
    truth = dict(zip(ids, [one["sid"] for one in reversed(found)], strict=True))
    worker = another_follow_up(bench.world, bench.gateway, bench.clock)
    jobs: list[Callable[[], Any]] = [worker.settle_once]
    for message_id, sid in truth.items():
        client = replace(bench.gateway, client=bench.gateway.client.application.test_client())
        jobs.append(partial(client.callback, message_id, sid, "delivered"))
    waiting = list(jobs)

    def run_next() -> Any:
        return waiting.pop()()

    answers = run_at_once(run_next, len(jobs))
    codes = [answer.status_code for answer in answers if not isinstance(answer, int)]
    assert codes == [204] * len(ids)
    for _ in range(8):
        bench.clock.advance(60)
        worker.run_once()
    assert ends(bench, *ids) == [("delivered", sid) for sid in truth.values()]
