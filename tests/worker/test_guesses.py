"""What the worker finds in a list is a guess: it yields to a signature and names only what is clear."""

import json
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, update
from twilio.http.response import Response

from app.access.tables import provider_accounts, workspaces
from app.messages.check_times import UNSETTLED_GIVEN_UP
from app.messages.retention.purge import Erase, Purge
from app.messages.tables import messages
from app.providers.twilio.transport import NotConfirmed
from app.use_cases.tables import use_cases
from support.factories import US_NUMBER
from support.fake_twilio import Call, accepted
from support.replace_services import another_client
from support.threads import together
from support.worker_setup import SID, Worker, another_reconcile, listed

pytestmark = pytest.mark.one_engine

OTHER_SID = "SM" + "2" * 32
THIRD_SID = "SM" + "3" * 32


def row(worker: Worker, message_id: str) -> dict[str, Any]:
    return next(one for one in worker.factory.rows(messages) if str(one["id"]) == message_id)


def ends(worker: Worker, *ids: str) -> list[tuple[str, str | None]]:
    return [(row(worker, one)["status"], row(worker, one)["message_sid"]) for one in ids]


def reasons(worker: Worker, message_id: str) -> list[str | None]:
    return [event["reason"] for event in worker.events(message_id)]


def at(worker: Worker, seconds: float = 0) -> str:
    return format_datetime(worker.clock.at + timedelta(seconds=seconds))


def to_the_end(worker: Worker, *found: dict[str, Any]) -> None:
    """Let the worker look until every submission's time is over, and once more."""
    for _ in range(UNSETTLED_GIVEN_UP // timedelta(seconds=60) + 3):
        worker.clock.advance(60)
        while worker.round(*[listed(*found)] * 20):
            pass


def guess(worker: Worker, status: str = "failed") -> tuple[str, str]:
    """Settle a submission by a list with what belongs to another one; the ids of both."""
    first = worker.unconfirmed()
    worker.clock.advance(60)
    second = worker.unconfirmed()
    created = at(worker, -5)
    worker.clock.advance(1)
    with worker.factory.database.writing() as c:  # the second is not there when the worker looks
        c.execute(
            update(messages)
            .where(messages.c.id == row(worker, second)["id"])
            .values(submission="refused")
        )
    worker.round(listed(worker.twilios(status=status, date_created=created, error_code=30003)))
    worker.factory.write(
        update(messages)
        .where(messages.c.id == row(worker, second)["id"])
        .values(submission="unconfirmed")
    )
    assert ends(worker, first) == [(status, SID)]
    assert row(worker, first)["sid_source"] == "list"
    return first, second


@pytest.mark.parametrize("guessed", ["failed", "delivered", "undelivered", "sent"])
@pytest.mark.parametrize("reported", ["queued", "sent", "delivered", "failed"])
def test_signed_callback_takes_its_sid_back_from_a_guess(
    worker: Worker, guessed: str, reported: str
) -> None:
    """Break: in `app/messages/delivery/apply_report.py`, `_FITS`, leave out `~_IS_GUESS`."""
    first, second = guess(worker, guessed)
    assert worker.gateway.callback(second, SID, reported).status_code == 204
    status = "pending" if reported == "queued" else reported
    assert ends(worker, first, second) == [("pending", None), (status, SID)]
    found = row(worker, first)
    assert [found[name] for name in ("error_code", "errored_at", "delivered_at", "price")] == [
        None
    ] * 4
    assert (found["submission"], found["check_at"]) == ("unconfirmed", worker.clock.at)


def test_message_that_lost_its_guess_is_looked_for_to_the_end(worker: Worker) -> None:
    first, second = guess(worker)
    worker.gateway.callback(second, SID, "delivered")
    created = at(worker, -6)
    to_the_end(worker, worker.twilios(status="delivered", date_created=created))
    assert ends(worker, first) == [("failed", None)]
    assert reasons(worker, first)[-2:] == ["conflict", "not_confirmed"]


def test_message_that_lost_its_guess_is_settled_by_its_own_callback(worker: Worker) -> None:
    first, second = guess(worker)
    worker.gateway.callback(second, SID, "delivered")
    worker.gateway.callback(first, OTHER_SID, "delivered")
    assert ends(worker, first, second) == [("delivered", OTHER_SID), ("delivered", SID)]


def test_callback_corrects_a_guess_about_its_own_message(worker: Worker) -> None:
    """Break: in `app/messages/delivery/track.py`, do not call `_over_a_guess`."""
    first, _ = guess(worker, "failed")
    assert worker.gateway.callback(first, OTHER_SID, "delivered").status_code == 204
    assert ends(worker, first) == [("delivered", OTHER_SID)]
    assert row(worker, first)["error_code"] is None


@pytest.mark.both_engines
def test_signed_callback_outweighs_that_no_trace_was_found(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    to_the_end(worker)
    assert ends(worker, message_id) == [("failed", None)]
    worker.gateway.callback(message_id, SID, "delivered")
    assert ends(worker, message_id) == [("delivered", SID)]
    assert row(worker, message_id)["errored_at"] is None


def test_certain_sid_is_not_taken_back(worker: Worker) -> None:
    first = worker.gateway.send(worker.tenant).json
    second = worker.gateway.send(worker.tenant).json
    worker.gateway.callback(second["id"], first["message_sid"], "failed")
    assert ends(worker, first["id"], second["id"]) == [
        ("pending", first["message_sid"]),
        ("pending", second["message_sid"]),
    ]
    third = worker.unconfirmed()
    worker.gateway.callback(third, first["message_sid"], "failed")
    assert ends(worker, third) == [("pending", None)]


def test_callback_of_another_account_takes_nothing_back(worker: Worker) -> None:
    first, second = guess(worker)
    other = "AC" + "b" * 32
    worker.factory.tenant(worker.tenant.organization_id, "Other", account_sid=other)
    worker.gateway.callback(second, SID, "delivered", account_sid=other)
    worker.gateway.callback(first, OTHER_SID, "delivered", account_sid=other)
    assert ends(worker, first, second) == [("failed", SID), ("pending", None)]


@pytest.mark.both_engines
def test_guess_and_callback_at_the_same_moment_leave_the_sid_with_the_callback(
    worker: Worker,
) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_repair`, do not call `_is_taken_back`."""
    first, second = guess(worker)
    with worker.factory.database.writing() as c:
        of_second = messages.c.id == row(worker, second)["id"]
        c.execute(
            update(messages)
            .where(of_second)
            .values(message_sid=SID, sid_source="callback", submission="accepted")
        )
    worker.clock.advance(60)
    worker.round(*[listed()] * 5)
    assert ends(worker, first) == [("pending", None)]


def test_answer_that_comes_after_a_guess_outweighs_it(worker: Worker) -> None:
    """Break: in `app/messages/sending/record_outcome.py`, `_accept`, leave out `_accept_over_a_guess`."""

    def sleep(_: Call) -> Response:
        worker.clock.advance(70)
        worker.round(listed(worker.twilios(sid=OTHER_SID, status="failed", date_created=created)))
        return accepted(sid=SID)

    created = at(worker)
    worker.gateway.twilio.script = [sleep]
    answer = worker.gateway.send(worker.tenant)
    assert (answer.status_code, answer.json["message_sid"]) == (201, SID)
    assert ends(worker, answer.json["id"]) == [("pending", SID)]
    assert row(worker, answer.json["id"])["sid_source"] == "answer"


@pytest.mark.both_engines
def test_one_candidate_for_two_submissions_settles_neither(worker: Worker) -> None:
    """Break: in `app/messages/reconciliation/matching.py`, `_group`, leave out the other submissions."""
    first = worker.unconfirmed()
    worker.clock.advance(20)
    second = worker.unconfirmed()
    found = worker.twilios(date_created=at(worker))
    to_the_end(worker, found)
    assert ends(worker, first, second) == [("pending", None)] * 2
    assert [reasons(worker, one) for one in (first, second)] == [["unclear"]] * 2
    worker.gateway.callback(second, SID, "delivered")
    worker.clock.advance(6 * 3600)
    worker.round(*[listed(found)] * 5)
    assert ends(worker, first, second) == [("failed", None), ("delivered", SID)]


def test_other_open_submission_is_waited_for(worker: Worker) -> None:
    """Break: in `app/messages/reconciliation/matching.py`, `match`, leave out `CALL_LIMIT`."""
    first = worker.unconfirmed()
    worker.clock.advance(45)

    def sleep(_: Call) -> Response:
        found = worker.twilios(sid=OTHER_SID, date_created=at(worker))
        worker.clock.advance(16)
        worker.round(listed(found, worker.twilios(date_created=at(worker, -60))))
        assert ends(worker, first) == [("pending", None)]
        return accepted(sid=OTHER_SID)

    worker.gateway.twilio.script = [sleep]
    second = worker.gateway.send(worker.tenant).json
    worker.clock.advance(15)
    worker.round(listed(worker.twilios(date_created=at(worker, -75))))
    assert ends(worker, first, second["id"]) == [("delivered", SID), ("pending", OTHER_SID)]


@pytest.mark.both_engines
@pytest.mark.parametrize("number", [2, 3])
def test_as_many_candidates_as_submissions_settle_all_in_the_order_of_time(
    worker: Worker, number: int
) -> None:
    sent, found = [], []
    for sid in (SID, OTHER_SID, THIRD_SID)[:number]:
        sent.append(worker.unconfirmed())
        found.append(worker.twilios(sid=sid, date_created=at(worker, 1)))
        worker.clock.advance(10)
    worker.clock.advance(60)
    worker.round(*[listed(*reversed(found))] * number)
    assert ends(worker, *sent) == [("delivered", one["sid"]) for one in found]


@pytest.mark.both_engines
def test_fewer_candidates_settle_as_many_at_the_end_and_the_rest_stays_pending(
    worker: Worker,
) -> None:
    sent, found = [], []
    for sid in (None, SID, OTHER_SID):
        sent.append(worker.unconfirmed())
        if sid is not None:
            found.append(worker.twilios(sid=sid, date_created=at(worker, 1)))
        worker.clock.advance(15)
    worker.clock.advance(60)
    worker.round(*[listed(*found)] * 3)
    assert ends(worker, *sent) == [("pending", None)] * 3
    to_the_end(worker, *found)
    assert ends(worker, *sent) == [("pending", None), ("delivered", SID), ("delivered", OTHER_SID)]
    assert reasons(worker, sent[0]) == ["unclear"]


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
def test_unclear_trace_keeps_a_message_pending(
    worker: Worker, changed: list[dict[str, Any]]
) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_look_again`, end it whatever the trace."""
    message_id = worker.unconfirmed()
    found = [worker.twilios(**{"date_created": at(worker)} | one) for one in changed]
    to_the_end(worker, *found)
    assert ends(worker, message_id) == [("pending", None)]
    assert reasons(worker, message_id) == ["unclear"]
    worker.gateway.callback(message_id, SID, "delivered")
    assert ends(worker, message_id) == [("delivered", SID)]


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
def test_other_message_keeps_nothing_pending(worker: Worker, changed: dict[str, Any]) -> None:
    message_id = worker.unconfirmed()
    to_the_end(worker, worker.twilios(**{"date_created": at(worker)} | changed))
    assert ends(worker, message_id) == [("failed", None)]
    assert reasons(worker, message_id) == ["not_confirmed"]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("Your code is 1234", "Sent from your Twilio trial account - Your code is 1234"),
        ("It\u2019s \u201c1234\u201d \u2013 soon\u2026", 'It\'s "1234" - soon...'),
        ("Ünïcode ½ 🎉", "Sent from your Twilio trial account - Ünïcode ½ 🎉"),
        ("🎉", "Sent from your Twilio trial account - 🎉"),
    ],
)
def test_text_that_twilio_changed_is_recognised(worker: Worker, sent: str, found: str) -> None:
    message_id = worker.unconfirmed(message=sent)
    created = at(worker)
    worker.clock.advance(60)
    worker.round(listed(worker.twilios(body=found, date_created=created)))
    assert ends(worker, message_id) == [("delivered", SID)]


def test_text_with_only_the_same_end_does_not_match(worker: Worker) -> None:
    message_id = worker.unconfirmed(message="1234")
    created = at(worker)
    worker.clock.advance(60)
    worker.round(listed(worker.twilios(body="Your code is 1234", date_created=created)))
    assert ends(worker, message_id) == [("pending", None)]


def test_service_changed_after_the_send_hides_nothing(worker: Worker) -> None:
    """Break: in `app/messages/sending/send.py`, `_new_submission`, leave out the service."""
    message_id = worker.unconfirmed()
    created = at(worker)
    worker.factory.set(use_cases, worker.tenant.use_case_id, messaging_service_sid="MG" + "9" * 32)
    worker.clock.advance(60)
    worker.round(listed(worker.twilios(date_created=created)))
    assert ends(worker, message_id) == [("delivered", SID)]


def test_resend_through_another_service_is_recognised_by_both(worker: Worker) -> None:
    worker.factory.set(use_cases, worker.tenant.use_case_id, on_unconfirmed="resend")
    message_id = worker.unconfirmed()
    worker.clock.advance(120)
    other = "MG" + "9" * 32
    worker.factory.set(use_cases, worker.tenant.use_case_id, messaging_service_sid=other)
    worker.round(listed(), NotConfirmed("cut"))
    created = at(worker)
    worker.clock.advance(60)
    worker.round(listed(worker.twilios(messaging_service_sid=other, date_created=created)))
    assert ends(worker, message_id) == [("delivered", SID)]


def erase(worker: Worker) -> None:
    purge = Purge(worker.factory.database, worker.gateway.services.clock, "k" * 32)
    assert Erase(worker.factory.database, purge)(US_NUMBER) >= 1


def purge_all(worker: Worker) -> None:
    worker.factory.set(
        workspaces,
        worker.tenant.workspace_id,
        body_retention_days=-3650,
        number_retention_days=-3650,
    )
    Purge(worker.factory.database, worker.gateway.services.clock, "k" * 32)()


@pytest.mark.parametrize("forget", [erase, purge_all])
def test_erased_number_is_kept_until_the_message_is_settled(
    worker: Worker, forget: Callable[[Worker], None]
) -> None:
    """Break: in `app/messages/retention/purge.py`, keep no number."""
    message_id = worker.unconfirmed()
    created = at(worker)
    worker.clock.advance(60)
    forget(worker)
    assert row(worker, message_id)["to_number"].startswith("~")
    worker.round(listed(worker.twilios(date_created=created)))
    assert ends(worker, message_id) == [("delivered", SID)]
    assert US_NUMBER not in str(worker.factory.rows(messages))


@pytest.mark.both_engines
def test_erased_number_is_deleted_once_no_trace_was_found(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    erase(worker)
    to_the_end(worker)
    assert ends(worker, message_id) == [("failed", None)]
    assert US_NUMBER not in str(worker.factory.rows(messages))


@pytest.mark.both_engines
@pytest.mark.parametrize("forget", [erase, purge_all])
@pytest.mark.parametrize("is_before", [True, False])
def test_erased_number_is_deleted_once_nothing_is_asked_any_more(
    worker: Worker, forget: Callable[[Worker], None], is_before: bool
) -> None:
    """Break: in `app/messages/reconciliation/claims.py`, `schedule`, or in `app/messages/retention/purge.py`, keep it."""
    worker.unconfirmed()
    if is_before:
        forget(worker)
    worker.clock.advance(97 * 3600)
    worker.round(NotConfirmed("cut"))
    if not is_before:
        forget(worker)
    (found,) = worker.factory.rows(messages)
    assert (found["status"], found["check_at"]) == ("pending", None)
    assert US_NUMBER not in str(found)


@pytest.mark.both_engines
def test_erased_number_is_deleted_with_its_account(worker: Worker) -> None:
    """Break: in `app/messages/reconciliation/claims.py`, `_load`, keep it for messages without an account."""
    worker.unconfirmed()
    erase(worker)
    worker.clock.advance(60)
    worker.factory.write(update(workspaces).values(account_sid=None), delete(provider_accounts))
    worker.round()
    assert US_NUMBER not in str(worker.factory.rows(messages))


def test_number_that_was_erased_before_it_was_kept_is_unclear(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    erase(worker)
    worker.factory.write(update(messages).values(sent_number=None))
    to_the_end(worker)
    assert ends(worker, message_id) == [("pending", None)]
    assert reasons(worker, message_id) == ["unclear"]


def test_more_messages_than_can_be_read_are_no_proof_of_absence(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    full = Response(200, json.dumps({"messages": [], "next_page_uri": "/x?Page=1"}))
    worker.clock.advance(900)
    worker.round(*[full] * 100)
    assert len(worker.gateway.twilio.script) == 100 - 20
    assert ends(worker, message_id) == [("pending", None)]
    assert reasons(worker, message_id) == ["unclear"]


def test_submission_that_is_being_written_is_waited_for(worker: Worker) -> None:
    """Break: in `app/messages/reconciliation/claims.py`, `lock_unsettled`, do not compare with what was expected."""
    if worker.factory.database.is_sqlite:
        return  # one transaction writes at a time
    first = worker.unconfirmed()
    worker.clock.advance(20)
    second = worker.unconfirmed()
    found = worker.twilios(date_created=at(worker))
    worker.clock.advance(60)
    with worker.factory.database.writing() as holding:
        of_second = messages.c.id == row(worker, second)["id"]
        holding.execute(update(messages).where(of_second).values(checks=7))
        assert worker.round(listed(found)) == 1
    assert ends(worker, first, second) == [("pending", None)] * 2


@pytest.mark.both_engines
def test_two_workers_never_settle_two_messages_by_one_candidate(worker: Worker) -> None:
    ids, found = [], []
    for place in range(6):
        ids.append(worker.unconfirmed())
        found.append(worker.twilios(sid=f"SM{place:032x}", date_created=at(worker)))
        worker.clock.advance(1)
    worker.clock.advance(60)
    worker.gateway.twilio.script = [listed(*found)] * 200
    workers = [another_reconcile(worker.factory, worker.gateway, worker.clock) for _ in range(4)]
    together([one.run_once for one in workers])
    for _ in range(10):
        worker.clock.advance(15)
        workers[0].settle_once()
    sids = [sid for _, sid in ends(worker, *ids)]
    assert sids == [one["sid"] for one in found]


@pytest.mark.both_engines
def test_concurrent_callbacks_and_workers_leave_every_sid_with_its_message(worker: Worker) -> None:
    ids, found = [], []
    for place in range(4):
        ids.append(worker.unconfirmed())
        found.append(worker.twilios(sid=f"SM{place:032x}", date_created=at(worker)))
        worker.clock.advance(1)
    worker.clock.advance(60)
    worker.gateway.twilio.script = [listed(*found)] * 200
    # Each callback names another candidate than the order of time would.
    truth = dict(zip(ids, [one["sid"] for one in reversed(found)], strict=True))
    second = another_reconcile(worker.factory, worker.gateway, worker.clock)
    jobs: list[Callable[[], Any]] = [second.settle_once]
    for message_id, sid in truth.items():
        client = another_client(worker.gateway)
        jobs.append(partial(client.callback, message_id, sid, "delivered"))
    answers = together(jobs)
    codes = [answer.status_code for answer in answers if not isinstance(answer, int)]
    assert codes == [204] * len(ids)
    for _ in range(8):
        worker.clock.advance(60)
        second.run_once()
    assert ends(worker, *ids) == [("delivered", sid) for sid in truth.values()]
