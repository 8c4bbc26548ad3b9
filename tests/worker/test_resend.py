"""A use case that asks for it has what left no trace created once more; any other never has."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from twilio.http.response import Response

from app.access.principal import Role
from app.access.tables import provider_accounts, workspaces
from app.db.unavailable import holds_connection
from app.destinations.tables import destination_policies, provider_permissions
from app.messages.reconciliation.claims import CLAIM_LEASE, ClaimLane, claim_due
from app.messages.retention.purge import Erase, Purge
from app.messages.tables import message_events, messages
from app.providers.twilio.transport import NotConfirmed, NotConnected
from app.use_cases.tables import opt_outs, use_cases
from app.webhooks.tables import webhook_events
from support.callbacks import message_id_of
from support.factories import ACCOUNT, OTHER_ACCOUNT, US_NUMBER, Factory, Tenant
from support.fake_twilio import Call, accepted, refused
from support.tables import add_opt_out_row
from support.worker_setup import SID, Worker, another_reconcile, fetched, listed, set_up_worker

pytestmark = pytest.mark.one_engine

OTHER_SID = "SM" + "2" * 32
START = "Sat, 31 Jan 2026 12:00:00 +0000"
LONG_BEFORE = "Sat, 31 Jan 2026 11:00:00 +0000"
AT_RESEND = "Sat, 31 Jan 2026 12:02:01 +0000"


@pytest.fixture
def worker(factory: Factory, tenant: Tenant, tmp_path: Path) -> Worker:
    """A bench whose use case has what left no trace sent again."""
    factory.set(use_cases, tenant.use_case_id, on_unconfirmed="resend")
    return set_up_worker(factory, tenant, tmp_path)


def row(worker: Worker) -> dict[str, Any]:
    (found,) = worker.factory.rows(messages)
    return found


def listen(worker: Worker) -> None:
    """Give the workspace an endpoint, so that its events are written."""
    body = {"url": "https://hooks.example.com/sms", "events": ["sms.failed"]}
    key = worker.tenant.keys[Role.ADMIN]
    assert worker.gateway.post("/v1/webhook-endpoints", body, key=key).status_code == 201


@pytest.mark.both_engines
def test_message_without_a_trace_is_resent_after_two_minutes(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(119)
    worker.round(listed())
    assert len(worker.creates) == 1

    worker.clock.advance(15)
    worker.round(listed(), accepted(sid=SID))

    first, second = worker.creates
    assert second.data == first.data
    assert message_id_of(second) == message_id
    found = worker.message(message_id)
    assert (found["status"], found["message_sid"]) == ("pending", SID)
    assert (row(worker)["resends"], row(worker)["submission"]) == (1, "accepted")
    assert worker.gateway.callback(message_id, SID, "delivered").status_code == 204
    assert worker.message(message_id)["status"] == "delivered"


def test_a_use_case_that_does_not_ask_for_it_never_has_it(worker: Worker) -> None:
    worker.factory.set(use_cases, worker.tenant.use_case_id, on_unconfirmed="wait")
    message_id = worker.unconfirmed()
    for _ in range(70):
        worker.clock.advance(15)
        worker.round(listed())
    assert len(worker.creates) == 1
    assert worker.message(message_id)["status"] == "failed"


def test_it_is_created_three_times_more_at_growing_distances_and_then_given_up(
    worker: Worker,
) -> None:
    listen(worker)
    message_id = worker.unconfirmed()
    start, ages = worker.clock.at, []
    for _ in range(200):
        worker.clock.advance(5)
        before = len(worker.creates)
        worker.round(listed(), NotConfirmed("cut"))
        if len(worker.creates) > before:
            ages.append((worker.clock.at - start) // timedelta(seconds=1))
    distances = [later - sooner for sooner, later in zip([0, *ages], ages, strict=False)]
    assert distances == sorted(set(distances))
    assert len(ages) == 3
    assert (ages[0], ages[-1] < 780) == (120, True)
    assert [(e["status"], e["reason"]) for e in worker.events(message_id)] == [
        ("failed", "not_confirmed")
    ]
    assert len(worker.factory.rows(webhook_events, type="sms.failed")) == 1


@pytest.mark.both_engines
@pytest.mark.parametrize("found", [1, 2])
def test_message_with_a_trace_is_never_resent(worker: Worker, found: int) -> None:
    worker.unconfirmed()
    worker.clock.advance(200)
    worker.round(
        listed(*(worker.twilios(sid=sid, date_created=START) for sid in (SID, OTHER_SID)[:found]))
    )
    assert len(worker.creates) == 1


@pytest.mark.both_engines
@pytest.mark.parametrize(
    ("changed", "creates"),
    [
        ({"body": "Sent from a trial account - Your code is 1234"}, 1),
        ({"messaging_service_sid": None}, 1),
        ({"date_created": None}, 1),
        ({"to": "+12025550199"}, 2),
        ({"date_created": LONG_BEFORE}, 2),
    ],
)
def test_possible_trace_prevents_a_resend(
    worker: Worker, changed: dict[str, Any], creates: int
) -> None:
    """Break: in `app/messages/reconciliation/matching.py`, `may_be`, ask for the same text too."""
    message_id = worker.unconfirmed()
    worker.clock.advance(200)
    worker.round(listed(worker.twilios(**{"date_created": START} | changed)))
    assert len(worker.creates) == creates
    assert worker.message(message_id)["status"] == "pending"


def test_provider_error_is_not_treated_as_not_found(worker: Worker) -> None:
    worker.unconfirmed()
    for seconds in (60, 60, 60, 60, 60, 60, 60):
        worker.clock.advance(seconds)
        worker.round(NotConnected("down"))
    assert len(worker.creates) == 1
    worker.clock.advance(60)
    worker.round(listed())
    assert len(worker.creates) == 2


def test_worker_that_starts_after_the_end_does_not_resend(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(900)
    worker.round(listed())
    assert len(worker.creates) == 1
    assert worker.message(message_id)["status"] == "failed"


def frozen(worker: Worker) -> None:
    worker.factory.set(workspaces, worker.tenant.workspace_id, suspended_at=worker.clock.at)


def inactive(worker: Worker) -> None:
    worker.factory.set(use_cases, worker.tenant.use_case_id, active=False)


def deleted(worker: Worker) -> None:
    worker.factory.set(use_cases, worker.tenant.use_case_id, deleted_at=worker.clock.at)


def suspended(worker: Worker) -> None:
    worker.factory.set(use_cases, worker.tenant.use_case_id, brand_status="SUSPENDED")


def blocked(worker: Worker) -> None:
    worker.factory.write(update(destination_policies).values(destinations={"US": "blocked"}))


def opted_out(worker: Worker) -> None:
    add_opt_out_row(worker.factory, worker.tenant.workspace_id, US_NUMBER)


def another_account(worker: Worker) -> None:
    worker.factory.tenant(worker.tenant.organization_id, "Other", account_sid=OTHER_ACCOUNT)
    worker.factory.set(workspaces, worker.tenant.workspace_id, account_sid=OTHER_ACCOUNT)


def erased(worker: Worker) -> None:
    purge = Purge(worker.factory.database, worker.gateway.services.clock, "k" * 32)
    assert Erase(worker.factory.database, purge)(US_NUMBER) == 1


def not_wanted_any_more(worker: Worker) -> None:
    worker.factory.set(use_cases, worker.tenant.use_case_id, on_unconfirmed="wait")


REFUSING = [
    frozen,
    inactive,
    deleted,
    suspended,
    blocked,
    opted_out,
    another_account,
    erased,
    not_wanted_any_more,
]


@pytest.mark.both_engines
@pytest.mark.parametrize("change", REFUSING, ids=lambda change: change.__name__)
def test_message_that_would_be_refused_now_is_not_resent(worker: Worker, change: Any) -> None:
    message_id = worker.unconfirmed()
    change(worker)
    for _ in range(59):
        worker.clock.advance(15)
        worker.round(listed())
    assert row(worker)["status"] == "pending"
    worker.clock.advance(15)
    worker.round(listed())
    assert (len(worker.creates), row(worker)["resends"]) == (1, 0)
    assert [(e["status"], e["reason"]) for e in worker.events(message_id)] == [
        ("failed", "not_confirmed")
    ]


@pytest.mark.parametrize(
    "change", [erased, not_wanted_any_more], ids=lambda change: change.__name__
)
def test_changes_while_the_provider_is_asked_count(worker: Worker, change: Any) -> None:
    worker.unconfirmed()
    worker.clock.advance(120)

    def list_none(_: Call) -> Response:
        change(worker)
        return listed()

    worker.round(list_none)
    assert len(worker.creates) == 1


def test_a_refusal_of_a_resend_ends_the_message_with_its_code_and_one_event(worker: Worker) -> None:
    listen(worker)
    message_id = worker.unconfirmed(Idempotency_Key="k")
    worker.clock.advance(120)
    worker.round(listed(), refused(21610))

    found = worker.message(message_id)
    assert (found["status"], found["error_code"]) == ("failed", 21610)
    assert [
        (e["status"], e["error_code"], e["applied"], e["reason"]) for e in worker.events(message_id)
    ] == [("failed", 21610, True, None)]
    (event_row,) = worker.factory.rows(webhook_events, type="sms.failed")
    assert '"error_code":21610' in event_row["payload"]
    (opt_out,) = worker.factory.rows(opt_outs)
    assert (opt_out["to_number"], opt_out["source"]) == (US_NUMBER, "provider")
    again = worker.gateway.send(worker.tenant, Idempotency_Key="k")
    assert (again.status_code, again.json["status"]) == (201, "failed")
    worker.clock.advance(3600)
    assert worker.round() == 0


def test_a_country_that_the_provider_closed_is_noted(worker: Worker) -> None:
    worker.unconfirmed()
    worker.clock.advance(120)
    worker.round(listed(), refused(21408))
    (noted,) = worker.factory.rows(provider_permissions)
    assert (noted["account_sid"], noted["country"], noted["is_open"]) == (ACCOUNT, "US", False)


@pytest.mark.both_engines
def test_a_resend_that_never_left_does_not_count(worker: Worker) -> None:
    worker.unconfirmed()
    worker.clock.advance(120)
    worker.round(listed(), *[NotConnected("down")] * 9)
    assert (row(worker)["resends"], row(worker)["resent_at"]) == (0, None)
    tried = len(worker.creates)
    assert tried > 2
    worker.clock.advance(15)
    worker.round(listed(), accepted(sid=SID))
    assert len(worker.creates) == tried + 1
    assert (row(worker)["resends"], row(worker)["message_sid"]) == (1, SID)


def test_an_unconfirmed_resend_is_found_by_the_time_that_it_was_made(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(120)
    worker.round(listed(), NotConfirmed("cut"))
    assert worker.message(message_id)["status"] == "pending"
    resent = worker.twilios(sid=OTHER_SID, status="sent")
    worker.clock.advance(60)
    worker.round(listed(resent))
    assert (row(worker)["message_sid"], row(worker)["status"]) == (OTHER_SID, "sent")
    assert len(worker.creates) == 2


def test_the_answer_of_the_key_stays_504_until_the_resend_is_accepted(worker: Worker) -> None:
    message_id = worker.unconfirmed(Idempotency_Key="k")

    def again() -> Any:
        return worker.gateway.send(worker.tenant, Idempotency_Key="k")

    for answers in ((), (NotConfirmed("cut"),)):
        worker.clock.advance(60)
        worker.round(listed(), *answers)
        assert (again().status_code, again().json["details"]) == (504, {"id": message_id})
    worker.clock.advance(180)
    worker.round(listed(), accepted(sid=SID))
    first = again()
    assert (first.status_code, first.json["message_sid"]) == (201, SID)
    assert again().text == first.text
    assert first.headers["Idempotent-Replayed"] == "true"
    assert len(worker.creates) == 3


@pytest.mark.both_engines
def test_the_callbacks_of_a_first_creation_change_nothing_once_the_second_is_accepted(
    worker: Worker,
) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(120)
    worker.round(listed(), accepted(sid=SID))
    before = row(worker)

    for status in ("sent", "failed"):
        answer = worker.gateway.callback(message_id, OTHER_SID, status, ErrorCode="30003")
        assert answer.status_code == 204

    assert row(worker) == before
    assert worker.factory.rows(message_events) == []
    worker.gateway.callback(message_id, SID, "delivered")
    assert (row(worker)["status"], row(worker)["message_sid"]) == ("delivered", SID)


def test_a_callback_of_the_first_creation_during_the_resend_stays(worker: Worker) -> None:
    message_id = worker.unconfirmed()

    def create(_: Call) -> Response:
        assert worker.gateway.callback(message_id, OTHER_SID, "sent").status_code == 204
        return accepted(sid=SID)

    worker.clock.advance(120)
    worker.round(listed(), create)
    assert (row(worker)["message_sid"], row(worker)["status"]) == (OTHER_SID, "sent")
    assert worker.gateway.callback(message_id, SID, "failed").status_code == 204
    assert (row(worker)["message_sid"], row(worker)["status"]) == (OTHER_SID, "sent")
    worker.gateway.callback(message_id, OTHER_SID, "delivered")
    assert row(worker)["status"] == "delivered"
    assert [e["status"] for e in worker.events(message_id)] == ["sent", "delivered"]


def test_a_callback_while_the_provider_is_asked_leaves_nothing_to_resend(worker: Worker) -> None:
    message_id = worker.unconfirmed()

    def list_none(_: Call) -> Response:
        worker.gateway.callback(message_id, OTHER_SID, "queued")
        return listed()

    worker.clock.advance(120)
    worker.round(list_none)
    assert len(worker.creates) == 1
    assert row(worker)["message_sid"] == OTHER_SID


@pytest.mark.parametrize("outcome", [refused(21612), NotConfirmed("cut"), NotConnected("down")])
def test_a_callback_during_a_resend_wins_over_every_other_outcome(
    worker: Worker, outcome: Any
) -> None:
    message_id = worker.unconfirmed()

    def create(_: Call) -> Response:
        worker.gateway.callback(message_id, OTHER_SID, "delivered")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome  # type: ignore[no-any-return]

    worker.clock.advance(120)
    worker.round(listed(), *[create] * 9)
    found = worker.message(message_id)
    assert (found["status"], found["message_sid"]) == ("delivered", OTHER_SID)
    assert found["error_code"] is None
    assert row(worker)["check_at"] is None


def test_callback_of_the_first_creation_overrides_a_failed_resend(worker: Worker) -> None:
    """Break: in `app/messages/delivery/guessed_sids.py`, `take_back`, leave out `has_ended`."""
    message_id = worker.unconfirmed()
    worker.clock.advance(120)
    worker.round(listed(), accepted(sid=OTHER_SID, status="failed", error_code=30003))
    ended = row(worker)
    assert (ended["status"], ended["error_code"], ended["message_sid"]) == (
        "failed",
        30003,
        OTHER_SID,
    )
    assert worker.gateway.callback(message_id, SID, "delivered").status_code == 204
    found = worker.message(message_id)
    assert (found["status"], found["message_sid"], found["error_code"]) == ("delivered", SID, None)


def test_resend_of_a_dying_worker_is_counted_and_not_repeated(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(120)

    def die(_: Call) -> Response:
        raise SystemExit

    with pytest.raises(SystemExit):
        worker.round(listed(), die)
    assert (len(worker.creates), row(worker)["resends"]) == (2, 1)

    second = replace(
        worker, reconcile=another_reconcile(worker.factory, worker.gateway, worker.clock)
    )
    assert second.round(listed()) == 0  # the lease of the dead one holds
    worker.clock.at += CLAIM_LEASE
    assert second.round(listed()) == 1
    assert len(worker.creates) == 2
    worker.clock.advance(60)
    # What the dead worker created is found by the time of its try.
    second.round(listed(worker.twilios(date_created=AT_RESEND)))
    assert worker.message(message_id)["message_sid"] == SID


def test_a_worker_that_lost_its_lease_does_not_resend(worker: Worker) -> None:
    worker.unconfirmed()
    worker.clock.advance(120)
    overtaken: list[int] = []

    def slow(_: Call) -> Response:
        worker.clock.at += CLAIM_LEASE
        with worker.factory.database.writing() as connection:
            overtaken.append(len(claim_due(connection, worker.clock.at, 20, ClaimLane.UNSETTLED)))
        return listed()

    worker.round(slow)
    assert overtaken == [1]
    assert (len(worker.creates), row(worker)["resends"]) == (1, 0)


@pytest.mark.both_engines
def test_one_of_two_concurrent_workers_resends(worker: Worker) -> None:
    worker.unconfirmed()
    worker.clock.advance(120)
    second = another_reconcile(worker.factory, worker.gateway, worker.clock)

    def slow(_: Call) -> Response:
        worker.clock.at += CLAIM_LEASE
        worker.gateway.twilio.script = [listed(), NotConfirmed("cut")]
        assert second.run_once() == 1
        return listed()

    worker.round(slow)
    assert (len(worker.creates), row(worker)["resends"]) == (2, 1)


def test_no_connection_is_held_while_the_message_is_created(worker: Worker) -> None:
    worker.unconfirmed()
    worker.clock.advance(120)
    held: list[bool] = []

    def create(_: Call) -> Response:
        held.append(holds_connection())
        return accepted(sid=SID)

    worker.round(listed(), create)
    assert held == [False]


def test_a_first_call_that_answers_after_the_resend_cannot_unmake_the_message(
    worker: Worker,
) -> None:
    """A web process that was paused gets a refusal, and the message stays."""

    def sleep(_: Call) -> Response:
        worker.clock.advance(120)
        worker.round(listed(), NotConfirmed("cut"))
        return refused(21612)

    worker.gateway.twilio.script = [sleep]
    worker.gateway.send(worker.tenant)
    assert (row(worker)["submission"], row(worker)["resends"]) == ("unconfirmed", 1)
    assert row(worker)["body"] is not None
    worker.clock.advance(30)
    worker.round(listed(worker.twilios(date_created=AT_RESEND)))
    assert row(worker)["message_sid"] == SID


def test_an_accepted_resend_is_followed_up_as_any_message(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    worker.clock.advance(120)
    worker.round(listed(), accepted(sid=SID))
    worker.clock.advance(900)
    worker.round(fetched(worker.twilios(status="undelivered", error_code=30003)))
    found = worker.message(message_id)
    assert (found["status"], found["error_code"]) == ("undelivered", 30003)


def test_a_new_auth_token_is_used(worker: Worker) -> None:
    worker.unconfirmed()
    worker.clock.advance(120)

    def list_none(_: Call) -> Response:
        token = worker.factory.cipher.encrypt(ACCOUNT, "another token")
        worker.factory.write(update(provider_accounts).values(auth_token=token))
        return listed()

    worker.round(list_none, accepted(sid=SID))
    assert worker.creates[-1].auth == (ACCOUNT, "another token")
