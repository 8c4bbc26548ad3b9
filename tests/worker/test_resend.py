"""A use case that asks for it has what left no trace created once more; any other never has."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from twilio.http.response import Response

from app.access.roles import Role
from app.access.tables import provider_accounts, workspaces
from app.destinations.tables import destination_policies, provider_permissions
from app.messages.due import LEASE, claim_due
from app.messages.erase import Erase
from app.messages.purge import Purge
from app.messages.tables import message_events, messages
from app.providers.twilio.transport import NotConfirmed, NotConnected
from app.use_cases.tables import opt_outs, use_cases
from app.webhooks.tables import webhook_events
from support.bench import SID, Bench, another_follow_up, fetched, listed, open_bench
from support.callbacks import message_id_of
from support.fake_twilio import Call, accepted, refused
from support.tables import add_opt_out_row
from support.world import ACCOUNT, OTHER_ACCOUNT, US_NUMBER, Tenant, World

OTHER_SID = "SM" + "2" * 32
START = "Sat, 31 Jan 2026 12:00:00 +0000"
LONG_BEFORE = "Sat, 31 Jan 2026 11:00:00 +0000"
AT_RESEND = "Sat, 31 Jan 2026 12:02:01 +0000"


@pytest.fixture
def bench(world: World, tenant: Tenant, tmp_path: Path) -> Bench:
    """A bench whose use case has what left no trace sent again."""
    world.set(use_cases, tenant.use_case_id, on_unconfirmed="resend")
    return open_bench(world, tenant, tmp_path)


def row(bench: Bench) -> dict[str, Any]:
    (found,) = bench.world.rows(messages)
    return found


def listen(bench: Bench) -> None:
    """Give the workspace an endpoint, so that its events are written."""
    body = {"url": "https://hooks.example.com/sms", "events": ["sms.failed"]}
    key = bench.tenant.keys[Role.ADMIN]
    assert bench.gateway.post("/v1/webhook-endpoints", body, key=key).status_code == 201


def test_what_left_no_trace_is_created_once_more_after_two_minutes(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(119)
    bench.round(listed())
    assert len(bench.creates) == 1

    bench.clock.advance(15)
    bench.round(listed(), accepted(sid=SID))

    first, second = bench.creates
    assert second.data == first.data
    assert message_id_of(second) == message_id
    found = bench.message(message_id)
    assert (found["status"], found["message_sid"]) == ("pending", SID)
    assert (row(bench)["resends"], row(bench)["submission"]) == (1, "accepted")
    assert bench.gateway.callback(message_id, SID, "delivered").status_code == 204
    assert bench.message(message_id)["status"] == "delivered"


def test_a_use_case_that_does_not_ask_for_it_never_has_it(bench: Bench) -> None:
    bench.world.set(use_cases, bench.tenant.use_case_id, on_unconfirmed="wait")
    message_id = bench.unconfirmed()
    for _ in range(70):
        bench.clock.advance(15)
        bench.round(listed())
    assert len(bench.creates) == 1
    assert bench.message(message_id)["status"] == "failed"


def test_it_is_created_three_times_more_at_growing_distances_and_then_given_up(
    bench: Bench,
) -> None:
    listen(bench)
    message_id = bench.unconfirmed()
    start, ages = bench.clock.at, []
    for _ in range(200):
        bench.clock.advance(5)
        before = len(bench.creates)
        bench.round(listed(), NotConfirmed("cut"))
        if len(bench.creates) > before:
            ages.append((bench.clock.at - start) // timedelta(seconds=1))
    distances = [later - sooner for sooner, later in zip([0, *ages], ages, strict=False)]
    assert distances == sorted(set(distances))
    assert len(ages) == 3
    assert (ages[0], ages[-1] < 780) == (120, True)
    assert [(e["status"], e["reason"]) for e in bench.events(message_id)] == [
        ("failed", "not_confirmed")
    ]
    assert len([e for e in bench.world.rows(webhook_events) if e["type"] == "sms.failed"]) == 1


@pytest.mark.parametrize("found", [1, 2])
def test_what_left_a_trace_is_never_created_again(bench: Bench, found: int) -> None:
    bench.unconfirmed()
    bench.clock.advance(200)
    bench.round(
        listed(*(bench.twilios(sid=sid, date_created=START) for sid in (SID, OTHER_SID)[:found]))
    )
    assert len(bench.creates) == 1


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
def test_whatever_may_be_its_trace_keeps_it_from_being_created_again(
    bench: Bench, changed: dict[str, Any], creates: int
) -> None:
    """Break: in `app/messages/matching.py`, `may_be`, ask for the same text too."""
    message_id = bench.unconfirmed()
    bench.clock.advance(200)
    bench.round(listed(bench.twilios(**{"date_created": START} | changed)))
    assert len(bench.creates) == creates
    assert bench.message(message_id)["status"] == "pending"


def test_a_provider_that_could_not_be_asked_has_not_said_that_there_is_no_trace(
    bench: Bench,
) -> None:
    bench.unconfirmed()
    for seconds in (60, 60, 60, 60, 60, 60, 60):
        bench.clock.advance(seconds)
        bench.round(NotConnected("down"))
    assert len(bench.creates) == 1
    bench.clock.advance(60)
    bench.round(listed())
    assert len(bench.creates) == 2


def test_a_worker_that_was_away_until_the_end_gives_up_and_does_not_resend(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(900)
    bench.round(listed())
    assert len(bench.creates) == 1
    assert bench.message(message_id)["status"] == "failed"


def frozen(bench: Bench) -> None:
    bench.world.set(workspaces, bench.tenant.workspace_id, frozen_at=bench.clock.at)


def inactive(bench: Bench) -> None:
    bench.world.set(use_cases, bench.tenant.use_case_id, active=False)


def deleted(bench: Bench) -> None:
    bench.world.set(use_cases, bench.tenant.use_case_id, deleted_at=bench.clock.at)


def suspended(bench: Bench) -> None:
    bench.world.set(use_cases, bench.tenant.use_case_id, brand_status="SUSPENDED")


def blocked(bench: Bench) -> None:
    with bench.world.database.writing() as c:
        c.execute(update(destination_policies).values(destinations={"US": "blocked"}))


def opted_out(bench: Bench) -> None:
    add_opt_out_row(bench.world, bench.tenant.workspace_id, US_NUMBER)


def another_account(bench: Bench) -> None:
    bench.world.tenant(bench.tenant.organization_id, "Other", account_sid=OTHER_ACCOUNT)
    bench.world.set(workspaces, bench.tenant.workspace_id, account_sid=OTHER_ACCOUNT)


def erased(bench: Bench) -> None:
    purge = Purge(bench.world.database, bench.gateway.services.clock, "k" * 32)
    assert Erase(bench.world.database, purge)(US_NUMBER) == 1


def not_wanted_any_more(bench: Bench) -> None:
    bench.world.set(use_cases, bench.tenant.use_case_id, on_unconfirmed="wait")


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


@pytest.mark.parametrize("change", REFUSING, ids=lambda change: change.__name__)
def test_what_would_be_refused_now_is_not_resent_and_is_looked_for_to_the_end(
    bench: Bench, change: Any
) -> None:
    message_id = bench.unconfirmed()
    change(bench)
    for _ in range(59):
        bench.clock.advance(15)
        bench.round(listed())
    assert row(bench)["status"] == "pending"
    bench.clock.advance(15)
    bench.round(listed())
    assert (len(bench.creates), row(bench)["resends"]) == (1, 0)
    assert [(e["status"], e["reason"]) for e in bench.events(message_id)] == [
        ("failed", "not_confirmed")
    ]


@pytest.mark.parametrize(
    "change", [erased, not_wanted_any_more], ids=lambda change: change.__name__
)
def test_what_changes_while_the_provider_is_asked_counts(bench: Bench, change: Any) -> None:
    bench.unconfirmed()
    bench.clock.advance(120)

    def list_none(_: Call) -> Response:
        change(bench)
        return listed()

    bench.round(list_none)
    assert len(bench.creates) == 1


def test_a_refusal_of_a_resend_ends_the_message_with_its_code_and_one_event(bench: Bench) -> None:
    listen(bench)
    message_id = bench.unconfirmed(Idempotency_Key="k")
    bench.clock.advance(120)
    bench.round(listed(), refused(21610))

    found = bench.message(message_id)
    assert (found["status"], found["error_code"]) == ("failed", 21610)
    assert [
        (e["status"], e["error_code"], e["applied"], e["reason"]) for e in bench.events(message_id)
    ] == [("failed", 21610, True, None)]
    (told,) = [e for e in bench.world.rows(webhook_events) if e["type"] == "sms.failed"]
    assert '"error_code":21610' in told["payload"]
    (opt_out,) = bench.world.rows(opt_outs)
    assert (opt_out["to_number"], opt_out["source"]) == (US_NUMBER, "provider")
    again = bench.gateway.send(bench.tenant, Idempotency_Key="k")
    assert (again.status_code, again.json["status"]) == (201, "failed")
    bench.clock.advance(3600)
    assert bench.round() == 0


def test_a_country_that_the_provider_closed_is_noted(bench: Bench) -> None:
    bench.unconfirmed()
    bench.clock.advance(120)
    bench.round(listed(), refused(21408))
    (noted,) = bench.world.rows(provider_permissions)
    assert (noted["account_sid"], noted["country"], noted["is_open"]) == (ACCOUNT, "US", False)


def test_a_resend_that_never_left_does_not_count(bench: Bench) -> None:
    bench.unconfirmed()
    bench.clock.advance(120)
    bench.round(listed(), *[NotConnected("down")] * 9)
    assert (row(bench)["resends"], row(bench)["resent_at"]) == (0, None)
    tried = len(bench.creates)
    assert tried > 2
    bench.clock.advance(15)
    bench.round(listed(), accepted(sid=SID))
    assert len(bench.creates) == tried + 1
    assert (row(bench)["resends"], row(bench)["message_sid"]) == (1, SID)


def test_an_unconfirmed_resend_is_found_by_the_time_that_it_was_made(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(120)
    bench.round(listed(), NotConfirmed("cut"))
    assert bench.message(message_id)["status"] == "pending"
    resent = bench.twilios(sid=OTHER_SID, status="sent")
    bench.clock.advance(60)
    bench.round(listed(resent))
    assert (row(bench)["message_sid"], row(bench)["status"]) == (OTHER_SID, "sent")
    assert len(bench.creates) == 2


def test_the_answer_of_the_key_stays_504_until_the_resend_is_accepted(bench: Bench) -> None:
    message_id = bench.unconfirmed(Idempotency_Key="k")

    def again() -> Any:
        return bench.gateway.send(bench.tenant, Idempotency_Key="k")

    for answers in ((), (NotConfirmed("cut"),)):
        bench.clock.advance(60)
        bench.round(listed(), *answers)
        assert (again().status_code, again().json["details"]) == (504, {"id": message_id})
    bench.clock.advance(180)
    bench.round(listed(), accepted(sid=SID))
    first = again()
    assert (first.status_code, first.json["message_sid"]) == (201, SID)
    assert again().text == first.text
    assert first.headers["Idempotent-Replayed"] == "true"
    assert len(bench.creates) == 3


def test_the_callbacks_of_a_first_creation_change_nothing_once_the_second_is_accepted(
    bench: Bench,
) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(120)
    bench.round(listed(), accepted(sid=SID))
    before = row(bench)

    for status in ("sent", "failed"):
        answer = bench.gateway.callback(message_id, OTHER_SID, status, ErrorCode="30003")
        assert answer.status_code == 204

    assert row(bench) == before
    assert bench.world.rows(message_events) == []
    bench.gateway.callback(message_id, SID, "delivered")
    assert (row(bench)["status"], row(bench)["message_sid"]) == ("delivered", SID)


def test_a_callback_of_the_first_creation_during_the_resend_stays(bench: Bench) -> None:
    message_id = bench.unconfirmed()

    def create(_: Call) -> Response:
        assert bench.gateway.callback(message_id, OTHER_SID, "sent").status_code == 204
        return accepted(sid=SID)

    bench.clock.advance(120)
    bench.round(listed(), create)
    assert (row(bench)["message_sid"], row(bench)["status"]) == (OTHER_SID, "sent")
    assert bench.gateway.callback(message_id, SID, "failed").status_code == 204
    assert (row(bench)["message_sid"], row(bench)["status"]) == (OTHER_SID, "sent")
    bench.gateway.callback(message_id, OTHER_SID, "delivered")
    assert row(bench)["status"] == "delivered"
    assert [e["status"] for e in bench.events(message_id)] == ["sent", "delivered"]


def test_a_callback_while_the_provider_is_asked_leaves_nothing_to_resend(bench: Bench) -> None:
    message_id = bench.unconfirmed()

    def list_none(_: Call) -> Response:
        bench.gateway.callback(message_id, OTHER_SID, "queued")
        return listed()

    bench.clock.advance(120)
    bench.round(list_none)
    assert len(bench.creates) == 1
    assert row(bench)["message_sid"] == OTHER_SID


@pytest.mark.parametrize("outcome", [refused(21612), NotConfirmed("cut"), NotConnected("down")])
def test_a_callback_during_a_resend_wins_over_every_other_outcome(
    bench: Bench, outcome: Any
) -> None:
    message_id = bench.unconfirmed()

    def create(_: Call) -> Response:
        bench.gateway.callback(message_id, OTHER_SID, "delivered")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome  # type: ignore[no-any-return]

    bench.clock.advance(120)
    bench.round(listed(), *[create] * 9)
    found = bench.message(message_id)
    assert (found["status"], found["message_sid"]) == ("delivered", OTHER_SID)
    assert found["error_code"] is None
    assert row(bench)["check_at"] is None


def test_a_worker_that_dies_in_the_middle_has_tried_and_no_other_does_the_same_at_once(
    bench: Bench,
) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(120)

    def die(_: Call) -> Response:
        raise SystemExit

    with pytest.raises(SystemExit):
        bench.round(listed(), die)
    assert (len(bench.creates), row(bench)["resends"]) == (2, 1)

    second = replace(bench, follow_up=another_follow_up(bench.world, bench.gateway, bench.clock))
    assert second.round(listed()) == 0  # the lease of the dead one holds
    bench.clock.at += LEASE
    assert second.round(listed()) == 1
    assert len(bench.creates) == 2
    bench.clock.advance(60)
    # What the dead worker created is found by the time of its try.
    second.round(listed(bench.twilios(date_created=AT_RESEND)))
    assert bench.message(message_id)["message_sid"] == SID


def test_a_worker_that_lost_its_lease_does_not_resend(bench: Bench) -> None:
    bench.unconfirmed()
    bench.clock.advance(120)
    overtaken: list[int] = []

    def slow(_: Call) -> Response:
        bench.clock.at += LEASE
        with bench.world.database.writing() as connection:
            overtaken.append(len(claim_due(connection, bench.clock.at, 20)))
        return listed()

    bench.round(slow)
    assert overtaken == [1]
    assert (len(bench.creates), row(bench)["resends"]) == (1, 0)


def test_of_two_workers_that_look_at_once_one_resends(bench: Bench) -> None:
    bench.unconfirmed()
    bench.clock.advance(120)
    second = another_follow_up(bench.world, bench.gateway, bench.clock)

    def slow(_: Call) -> Response:
        bench.clock.at += LEASE
        bench.gateway.twilio.script = [listed(), NotConfirmed("cut")]
        assert second.run_once() == 1
        return listed()

    bench.round(slow)
    assert (len(bench.creates), row(bench)["resends"]) == (2, 1)


def test_no_connection_is_held_while_the_message_is_created(bench: Bench) -> None:
    bench.unconfirmed()
    bench.clock.advance(120)
    pool: Any = bench.world.database.engine.pool
    held: list[int] = []

    def create(_: Call) -> Response:
        held.append(pool.checkedout())
        return accepted(sid=SID)

    bench.round(listed(), create)
    assert held == [0]


def test_a_first_call_that_answers_after_the_resend_cannot_unmake_the_message(
    bench: Bench,
) -> None:
    """A web process that slept through it all is told of a refusal, and the message stays."""

    def sleep(_: Call) -> Response:
        bench.clock.advance(120)
        bench.round(listed(), NotConfirmed("cut"))
        return refused(21612)

    bench.gateway.twilio.script = [sleep]
    bench.gateway.send(bench.tenant)
    assert (row(bench)["submission"], row(bench)["resends"]) == ("unconfirmed", 1)
    assert row(bench)["body"] is not None
    bench.clock.advance(30)
    bench.round(listed(bench.twilios(date_created=AT_RESEND)))
    assert row(bench)["message_sid"] == SID


def test_an_accepted_resend_is_followed_up_as_any_message(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    bench.clock.advance(120)
    bench.round(listed(), accepted(sid=SID))
    bench.clock.advance(900)
    bench.round(fetched(bench.twilios(status="undelivered", error_code=30003)))
    found = bench.message(message_id)
    assert (found["status"], found["error_code"]) == ("undelivered", 30003)


def test_a_new_auth_token_is_used(bench: Bench) -> None:
    bench.unconfirmed()
    bench.clock.advance(120)

    def list_none(_: Call) -> Response:
        token = bench.world.vault.seal(ACCOUNT, "another token")
        with bench.world.database.writing() as c:
            c.execute(update(provider_accounts).values(auth_token=token))
        return listed()

    bench.round(list_none, accepted(sid=SID))
    assert bench.creates[-1].auth == (ACCOUNT, "another token")
