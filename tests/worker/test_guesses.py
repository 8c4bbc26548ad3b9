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
from app.messages.retention.purge import Erase, Purge
from app.messages.tables import messages
from app.providers.twilio.transport import NotConfirmed
from app.use_cases.tables import use_cases
from support.factories import US_NUMBER
from support.fake_twilio import Call, accepted
from support.worker_setup import SID, WorkerSetup, another_reconcile, listed

OTHER_SID = "SM" + "2" * 32
THIRD_SID = "SM" + "3" * 32


def row(worker_setup: WorkerSetup, message_id: str) -> dict[str, Any]:
    return next(one for one in worker_setup.factory.rows(messages) if str(one["id"]) == message_id)


def ends(worker_setup: WorkerSetup, *ids: str) -> list[tuple[str, str | None]]:
    return [
        (row(worker_setup, one)["status"], row(worker_setup, one)["message_sid"]) for one in ids
    ]


def reasons(worker_setup: WorkerSetup, message_id: str) -> list[str | None]:
    return [event["reason"] for event in worker_setup.events(message_id)]


def at(worker_setup: WorkerSetup, seconds: float = 0) -> str:
    return format_datetime(worker_setup.clock.at + timedelta(seconds=seconds))


def to_the_end(worker_setup: WorkerSetup, *found: dict[str, Any]) -> None:
    """Let the worker look until every submission's time is over, and once more."""
    for _ in range(UNSETTLED_GIVEN_UP // timedelta(seconds=60) + 3):
        worker_setup.clock.advance(60)
        while worker_setup.round(*[listed(*found)] * 20):
            pass


def guess(worker_setup: WorkerSetup, status: str = "failed") -> tuple[str, str]:
    """Settle a submission by a list with what belongs to another one; the ids of both."""
    first = worker_setup.unconfirmed()
    worker_setup.clock.advance(60)
    second = worker_setup.unconfirmed()
    created = at(worker_setup, -5)
    worker_setup.clock.advance(1)
    with (
        worker_setup.factory.database.writing() as c
    ):  # the second is not there when the worker looks
        c.execute(
            update(messages)
            .where(messages.c.id == row(worker_setup, second)["id"])
            .values(submission="refused")
        )
    worker_setup.round(
        listed(worker_setup.twilios(status=status, date_created=created, error_code=30003))
    )
    with worker_setup.factory.database.writing() as c:
        c.execute(
            update(messages)
            .where(messages.c.id == row(worker_setup, second)["id"])
            .values(submission="unconfirmed")
        )
    assert ends(worker_setup, first) == [(status, SID)]
    assert row(worker_setup, first)["sid_source"] == "list"
    return first, second


@pytest.mark.parametrize("guessed", ["failed", "delivered", "undelivered", "sent"])
@pytest.mark.parametrize("reported", ["queued", "sent", "delivered", "failed"])
def test_signed_callback_takes_its_sid_back_from_a_guess(
    worker_setup: WorkerSetup, guessed: str, reported: str
) -> None:
    """Break: in `app/messages/delivery/apply_report.py`, `_FITS`, leave out `~_IS_GUESS`."""
    first, second = guess(worker_setup, guessed)
    assert worker_setup.gateway.callback(second, SID, reported).status_code == 204
    status = "pending" if reported == "queued" else reported
    assert ends(worker_setup, first, second) == [("pending", None), (status, SID)]
    found = row(worker_setup, first)
    assert [found[name] for name in ("error_code", "errored_at", "delivered_at", "price")] == [
        None
    ] * 4
    assert (found["submission"], found["check_at"]) == ("unconfirmed", worker_setup.clock.at)


def test_message_that_lost_its_guess_is_looked_for_to_the_end(worker_setup: WorkerSetup) -> None:
    first, second = guess(worker_setup)
    worker_setup.gateway.callback(second, SID, "delivered")
    created = at(worker_setup, -6)
    to_the_end(worker_setup, worker_setup.twilios(status="delivered", date_created=created))
    assert ends(worker_setup, first) == [("failed", None)]
    assert reasons(worker_setup, first)[-2:] == ["conflict", "not_confirmed"]


def test_message_that_lost_its_guess_is_settled_by_its_own_callback(
    worker_setup: WorkerSetup,
) -> None:
    first, second = guess(worker_setup)
    worker_setup.gateway.callback(second, SID, "delivered")
    worker_setup.gateway.callback(first, OTHER_SID, "delivered")
    assert ends(worker_setup, first, second) == [("delivered", OTHER_SID), ("delivered", SID)]


def test_callback_corrects_a_guess_about_its_own_message(worker_setup: WorkerSetup) -> None:
    """Break: in `app/messages/delivery/track.py`, do not call `_over_a_guess`."""
    first, _ = guess(worker_setup, "failed")
    assert worker_setup.gateway.callback(first, OTHER_SID, "delivered").status_code == 204
    assert ends(worker_setup, first) == [("delivered", OTHER_SID)]
    assert row(worker_setup, first)["error_code"] is None


def test_signed_callback_outweighs_that_no_trace_was_found(worker_setup: WorkerSetup) -> None:
    message_id = worker_setup.unconfirmed()
    to_the_end(worker_setup)
    assert ends(worker_setup, message_id) == [("failed", None)]
    worker_setup.gateway.callback(message_id, SID, "delivered")
    assert ends(worker_setup, message_id) == [("delivered", SID)]
    assert row(worker_setup, message_id)["errored_at"] is None


def test_certain_sid_is_not_taken_back(worker_setup: WorkerSetup) -> None:
    first = worker_setup.gateway.send(worker_setup.tenant).json
    second = worker_setup.gateway.send(worker_setup.tenant).json
    worker_setup.gateway.callback(second["id"], first["message_sid"], "failed")
    assert ends(worker_setup, first["id"], second["id"]) == [
        ("pending", first["message_sid"]),
        ("pending", second["message_sid"]),
    ]
    third = worker_setup.unconfirmed()
    worker_setup.gateway.callback(third, first["message_sid"], "failed")
    assert ends(worker_setup, third) == [("pending", None)]


def test_callback_of_another_account_takes_nothing_back(worker_setup: WorkerSetup) -> None:
    first, second = guess(worker_setup)
    other = "AC" + "b" * 32
    worker_setup.factory.tenant(worker_setup.tenant.organization_id, "Other", account_sid=other)
    worker_setup.gateway.callback(second, SID, "delivered", account_sid=other)
    worker_setup.gateway.callback(first, OTHER_SID, "delivered", account_sid=other)
    assert ends(worker_setup, first, second) == [("failed", SID), ("pending", None)]


def test_guess_and_callback_at_the_same_moment_leave_the_sid_with_the_callback(
    worker_setup: WorkerSetup,
) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_repair`, do not call `_is_taken_back`."""
    first, second = guess(worker_setup)
    with worker_setup.factory.database.writing() as c:
        of_second = messages.c.id == row(worker_setup, second)["id"]
        c.execute(
            update(messages)
            .where(of_second)
            .values(message_sid=SID, sid_source="callback", submission="accepted")
        )
    worker_setup.clock.advance(60)
    worker_setup.round(*[listed()] * 5)
    assert ends(worker_setup, first) == [("pending", None)]


def test_answer_that_comes_after_a_guess_outweighs_it(worker_setup: WorkerSetup) -> None:
    """Break: in `app/messages/sending/record_outcome.py`, `_accept`, leave out `_accept_over_a_guess`."""

    def sleep(_: Call) -> Response:
        worker_setup.clock.advance(70)
        worker_setup.round(
            listed(worker_setup.twilios(sid=OTHER_SID, status="failed", date_created=created))
        )
        return accepted(sid=SID)

    created = at(worker_setup)
    worker_setup.gateway.twilio.script = [sleep]
    answer = worker_setup.gateway.send(worker_setup.tenant)
    assert (answer.status_code, answer.json["message_sid"]) == (201, SID)
    assert ends(worker_setup, answer.json["id"]) == [("pending", SID)]
    assert row(worker_setup, answer.json["id"])["sid_source"] == "answer"


def test_one_candidate_for_two_submissions_settles_neither(worker_setup: WorkerSetup) -> None:
    """Break: in `app/messages/reconciliation/matching.py`, `_group`, leave out the other submissions."""
    first = worker_setup.unconfirmed()
    worker_setup.clock.advance(20)
    second = worker_setup.unconfirmed()
    found = worker_setup.twilios(date_created=at(worker_setup))
    to_the_end(worker_setup, found)
    assert ends(worker_setup, first, second) == [("pending", None)] * 2
    assert [reasons(worker_setup, one) for one in (first, second)] == [["unclear"]] * 2
    worker_setup.gateway.callback(second, SID, "delivered")
    worker_setup.clock.advance(6 * 3600)
    worker_setup.round(*[listed(found)] * 5)
    assert ends(worker_setup, first, second) == [("failed", None), ("delivered", SID)]


def test_other_open_submission_is_waited_for(worker_setup: WorkerSetup) -> None:
    """Break: in `app/messages/reconciliation/matching.py`, `match`, leave out `CALL_LIMIT`."""
    first = worker_setup.unconfirmed()
    worker_setup.clock.advance(45)

    def sleep(_: Call) -> Response:
        found = worker_setup.twilios(sid=OTHER_SID, date_created=at(worker_setup))
        worker_setup.clock.advance(16)
        worker_setup.round(listed(found, worker_setup.twilios(date_created=at(worker_setup, -60))))
        assert ends(worker_setup, first) == [("pending", None)]
        return accepted(sid=OTHER_SID)

    worker_setup.gateway.twilio.script = [sleep]
    second = worker_setup.gateway.send(worker_setup.tenant).json
    worker_setup.clock.advance(15)
    worker_setup.round(listed(worker_setup.twilios(date_created=at(worker_setup, -75))))
    assert ends(worker_setup, first, second["id"]) == [("delivered", SID), ("pending", OTHER_SID)]


@pytest.mark.parametrize("number", [2, 3])
def test_as_many_candidates_as_submissions_settle_all_in_the_order_of_time(
    worker_setup: WorkerSetup, number: int
) -> None:
    sent, found = [], []
    for sid in (SID, OTHER_SID, THIRD_SID)[:number]:
        sent.append(worker_setup.unconfirmed())
        found.append(worker_setup.twilios(sid=sid, date_created=at(worker_setup, 1)))
        worker_setup.clock.advance(10)
    worker_setup.clock.advance(60)
    worker_setup.round(*[listed(*reversed(found))] * number)
    assert ends(worker_setup, *sent) == [("delivered", one["sid"]) for one in found]


def test_fewer_candidates_settle_as_many_at_the_end_and_the_rest_stays_pending(
    worker_setup: WorkerSetup,
) -> None:
    sent, found = [], []
    for sid in (None, SID, OTHER_SID):
        sent.append(worker_setup.unconfirmed())
        if sid is not None:
            found.append(worker_setup.twilios(sid=sid, date_created=at(worker_setup, 1)))
        worker_setup.clock.advance(15)
    worker_setup.clock.advance(60)
    worker_setup.round(*[listed(*found)] * 3)
    assert ends(worker_setup, *sent) == [("pending", None)] * 3
    to_the_end(worker_setup, *found)
    assert ends(worker_setup, *sent) == [
        ("pending", None),
        ("delivered", SID),
        ("delivered", OTHER_SID),
    ]
    assert reasons(worker_setup, sent[0]) == ["unclear"]


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
def test_unclear_trace_keeps_a_message_pending(
    worker_setup: WorkerSetup, changed: list[dict[str, Any]]
) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_look_again`, end it whatever the trace."""
    message_id = worker_setup.unconfirmed()
    found = [worker_setup.twilios(**{"date_created": at(worker_setup)} | one) for one in changed]
    to_the_end(worker_setup, *found)
    assert ends(worker_setup, message_id) == [("pending", None)]
    assert reasons(worker_setup, message_id) == ["unclear"]
    worker_setup.gateway.callback(message_id, SID, "delivered")
    assert ends(worker_setup, message_id) == [("delivered", SID)]


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
def test_other_message_keeps_nothing_pending(
    worker_setup: WorkerSetup, changed: dict[str, Any]
) -> None:
    message_id = worker_setup.unconfirmed()
    to_the_end(worker_setup, worker_setup.twilios(**{"date_created": at(worker_setup)} | changed))
    assert ends(worker_setup, message_id) == [("failed", None)]
    assert reasons(worker_setup, message_id) == ["not_confirmed"]


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
def test_text_that_twilio_changed_is_recognised(
    worker_setup: WorkerSetup, sent: str, found: str
) -> None:
    message_id = worker_setup.unconfirmed(message=sent)
    created = at(worker_setup)
    worker_setup.clock.advance(60)
    worker_setup.round(listed(worker_setup.twilios(body=found, date_created=created)))
    assert ends(worker_setup, message_id) == [("delivered", SID)]


@pytest.mark.one_engine
def test_text_with_only_the_same_end_does_not_match(worker_setup: WorkerSetup) -> None:
    message_id = worker_setup.unconfirmed(message="1234")
    created = at(worker_setup)
    worker_setup.clock.advance(60)
    worker_setup.round(listed(worker_setup.twilios(body="Your code is 1234", date_created=created)))
    assert ends(worker_setup, message_id) == [("pending", None)]


def test_service_changed_after_the_send_hides_nothing(worker_setup: WorkerSetup) -> None:
    """Break: in `app/messages/sending/send.py`, `_new_submission`, leave out the service."""
    message_id = worker_setup.unconfirmed()
    created = at(worker_setup)
    worker_setup.factory.set(
        use_cases, worker_setup.tenant.use_case_id, messaging_service_sid="MG" + "9" * 32
    )
    worker_setup.clock.advance(60)
    worker_setup.round(listed(worker_setup.twilios(date_created=created)))
    assert ends(worker_setup, message_id) == [("delivered", SID)]


def test_resend_through_another_service_is_recognised_by_both(worker_setup: WorkerSetup) -> None:
    worker_setup.factory.set(use_cases, worker_setup.tenant.use_case_id, on_unconfirmed="resend")
    message_id = worker_setup.unconfirmed()
    worker_setup.clock.advance(120)
    other = "MG" + "9" * 32
    worker_setup.factory.set(
        use_cases, worker_setup.tenant.use_case_id, messaging_service_sid=other
    )
    worker_setup.round(listed(), NotConfirmed("cut"))
    created = at(worker_setup)
    worker_setup.clock.advance(60)
    worker_setup.round(
        listed(worker_setup.twilios(messaging_service_sid=other, date_created=created))
    )
    assert ends(worker_setup, message_id) == [("delivered", SID)]


def erase(worker_setup: WorkerSetup) -> None:
    purge = Purge(worker_setup.factory.database, worker_setup.gateway.services.clock, "k" * 32)
    assert Erase(worker_setup.factory.database, purge)(US_NUMBER) >= 1


def purge_all(worker_setup: WorkerSetup) -> None:
    worker_setup.factory.set(
        workspaces,
        worker_setup.tenant.workspace_id,
        body_retention_days=-3650,
        number_retention_days=-3650,
    )
    Purge(worker_setup.factory.database, worker_setup.gateway.services.clock, "k" * 32)()


@pytest.mark.parametrize("forget", [erase, purge_all])
def test_erased_number_is_kept_until_the_message_is_settled(
    worker_setup: WorkerSetup, forget: Callable[[WorkerSetup], None]
) -> None:
    """Break: in `app/messages/retention/purge.py`, keep no number."""
    message_id = worker_setup.unconfirmed()
    created = at(worker_setup)
    worker_setup.clock.advance(60)
    forget(worker_setup)
    assert row(worker_setup, message_id)["to_number"].startswith("~")
    worker_setup.round(listed(worker_setup.twilios(date_created=created)))
    assert ends(worker_setup, message_id) == [("delivered", SID)]
    assert US_NUMBER not in str(worker_setup.factory.rows(messages))


def test_erased_number_is_deleted_once_no_trace_was_found(worker_setup: WorkerSetup) -> None:
    message_id = worker_setup.unconfirmed()
    erase(worker_setup)
    to_the_end(worker_setup)
    assert ends(worker_setup, message_id) == [("failed", None)]
    assert US_NUMBER not in str(worker_setup.factory.rows(messages))


@pytest.mark.parametrize("forget", [erase, purge_all])
@pytest.mark.parametrize("is_before", [True, False])
def test_erased_number_is_deleted_once_nothing_is_asked_any_more(
    worker_setup: WorkerSetup, forget: Callable[[WorkerSetup], None], is_before: bool
) -> None:
    """Break: in `app/messages/reconciliation/claims.py`, `schedule`, or in `app/messages/retention/purge.py`, keep it."""
    worker_setup.unconfirmed()
    if is_before:
        forget(worker_setup)
    worker_setup.clock.advance(97 * 3600)
    worker_setup.round(NotConfirmed("cut"))
    if not is_before:
        forget(worker_setup)
    (found,) = worker_setup.factory.rows(messages)
    assert (found["status"], found["check_at"]) == ("pending", None)
    assert US_NUMBER not in str(found)


def test_erased_number_is_deleted_with_its_account(worker_setup: WorkerSetup) -> None:
    """Break: in `app/messages/reconciliation/claims.py`, `_load`, keep it for messages without an account."""
    worker_setup.unconfirmed()
    erase(worker_setup)
    worker_setup.clock.advance(60)
    with worker_setup.factory.database.writing() as c:
        c.execute(update(workspaces).values(account_sid=None))
        c.execute(delete(provider_accounts))
    worker_setup.round()
    assert US_NUMBER not in str(worker_setup.factory.rows(messages))


@pytest.mark.one_engine
def test_number_that_was_erased_before_it_was_kept_is_unclear(worker_setup: WorkerSetup) -> None:
    message_id = worker_setup.unconfirmed()
    erase(worker_setup)
    with worker_setup.factory.database.writing() as c:
        c.execute(update(messages).values(sent_number=None))
    to_the_end(worker_setup)
    assert ends(worker_setup, message_id) == [("pending", None)]
    assert reasons(worker_setup, message_id) == ["unclear"]


@pytest.mark.one_engine
def test_more_messages_than_can_be_read_are_no_proof_of_absence(worker_setup: WorkerSetup) -> None:
    message_id = worker_setup.unconfirmed()
    full = Response(200, json.dumps({"messages": [], "next_page_uri": "/x?Page=1"}))
    worker_setup.clock.advance(900)
    worker_setup.round(*[full] * 100)
    assert len(worker_setup.gateway.twilio.script) == 100 - 20
    assert ends(worker_setup, message_id) == [("pending", None)]
    assert reasons(worker_setup, message_id) == ["unclear"]


def test_submission_that_is_being_written_is_waited_for(worker_setup: WorkerSetup) -> None:
    """Break: in `app/messages/reconciliation/claims.py`, `lock_unsettled`, do not compare with what was expected."""
    if worker_setup.factory.database.is_sqlite:
        return  # one transaction writes at a time
    first = worker_setup.unconfirmed()
    worker_setup.clock.advance(20)
    second = worker_setup.unconfirmed()
    found = worker_setup.twilios(date_created=at(worker_setup))
    worker_setup.clock.advance(60)
    with worker_setup.factory.database.writing() as holding:
        of_second = messages.c.id == row(worker_setup, second)["id"]
        holding.execute(update(messages).where(of_second).values(checks=7))
        assert worker_setup.round(listed(found)) == 1
    assert ends(worker_setup, first, second) == [("pending", None)] * 2


def test_two_workers_never_settle_two_messages_by_one_candidate(
    worker_setup: WorkerSetup, run_at_once: Callable[..., list[Any]]
) -> None:
    ids, found = [], []
    for place in range(6):
        ids.append(worker_setup.unconfirmed())
        found.append(worker_setup.twilios(sid=f"SM{place:032x}", date_created=at(worker_setup)))
        worker_setup.clock.advance(1)
    worker_setup.clock.advance(60)
    worker_setup.gateway.twilio.script = [listed(*found)] * 200
    workers = [
        another_reconcile(worker_setup.factory, worker_setup.gateway, worker_setup.clock)
        for _ in range(4)
    ]
    waiting = list(workers)
    run_at_once(lambda: waiting.pop().run_once(), 4)
    for _ in range(10):
        worker_setup.clock.advance(15)
        workers[0].settle_once()
    sids = [sid for _, sid in ends(worker_setup, *ids)]
    assert sids == [one["sid"] for one in found]


def test_concurrent_callbacks_and_workers_leave_every_sid_with_its_message(
    worker_setup: WorkerSetup, run_at_once: Callable[..., list[Any]]
) -> None:
    ids = []
    found = []
    for place in range(4):
        ids.append(worker_setup.unconfirmed())
        found.append(worker_setup.twilios(sid=f"SM{place:032x}", date_created=at(worker_setup)))
        worker_setup.clock.advance(1)
    worker_setup.clock.advance(60)
    worker_setup.gateway.twilio.script = [listed(*found)] * 200
    # Each callback names another candidate than the order of time would.
    truth = dict(zip(ids, [one["sid"] for one in reversed(found)], strict=True))
    worker = another_reconcile(worker_setup.factory, worker_setup.gateway, worker_setup.clock)
    jobs: list[Callable[[], Any]] = [worker.settle_once]
    for message_id, sid in truth.items():
        client = replace(
            worker_setup.gateway, client=worker_setup.gateway.client.application.test_client()
        )
        jobs.append(partial(client.callback, message_id, sid, "delivered"))
    waiting = list(jobs)

    def run_next() -> Any:
        return waiting.pop()()

    answers = run_at_once(run_next, len(jobs))
    codes = [answer.status_code for answer in answers if not isinstance(answer, int)]
    assert codes == [204] * len(ids)
    for _ in range(8):
        worker_setup.clock.advance(60)
        worker.run_once()
    assert ends(worker_setup, *ids) == [("delivered", sid) for sid in truth.values()]
