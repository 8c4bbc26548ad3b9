"""What waits, who refuses to answer, and answers that make no sense: none of it holds up the rest."""

import json
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from twilio.http.response import Response

from app.access.tables import provider_accounts
from app.cli.doctor import _refusing
from app.kernel.ids import new_id
from app.messages import due
from app.messages.due import hasten
from app.messages.refusing_accounts import load_refusing
from app.messages.tables import messages
from app.providers.twilio.transport import NotConnected
from support.bench import SID, Bench, fetched, listed
from support.fake_twilio import Call, refused
from support.world import OTHER_ACCOUNT, US_NUMBER

MANY = 3000


def overdue_repairs(bench: Bench, count: int) -> None:
    """Write accepted messages that have waited for a repair for a long time."""
    at = bench.clock.at - timedelta(hours=2)
    common = {
        "workspace_id": bench.tenant.workspace_id,
        "use_case_id": bench.tenant.use_case_id,
        "account_sid": bench.tenant.account_sid,
        "submission": "accepted",
        "to_number": "+12025550177",
        "country": "US",
        "counted_segments": 1,
        "status": "sent",
        "created_at": at,
        "updated_at": at,
        "check_at": at,
    }
    rows = [common | {"id": new_id(), "message_sid": f"SM{place:032x}"} for place in range(count)]
    with bench.world.database.writing() as c:
        c.execute(insert(messages), rows)


def asked(bench: Bench, *answers: Any) -> list[Call]:
    """The calls of one round of the worker."""
    before = len(bench.gateway.twilio.calls)
    bench.round(*answers)
    return bench.gateway.twilio.calls[before:]


def test_unsettled_submission_is_asked_about_before_all_overdue_repairs(bench: Bench) -> None:
    """Break: in `app/messages/due.py`, `claim_due`, take the lanes in the other order."""
    overdue_repairs(bench, MANY)
    bench.clock.advance(3600)
    message_id = bench.unconfirmed()
    created = format_datetime(bench.clock.at)
    bench.clock.advance(60)
    bench.gateway.twilio.script = [listed(bench.twilios(date_created=created))]
    assert bench.follow_up.settle_once() == 1
    assert bench.message(message_id)["status"] == "delivered"


def test_lanes_are_claimed_by_their_own_index(bench: Bench) -> None:
    if not bench.world.database.is_sqlite:
        return  # PostgreSQL chooses by what its tables hold, which a small one does not show
    for lane, index in ((due.Lane.UNSETTLED, "unsettled"), (due.Lane.SETTLED, "due")):
        query = (
            select(messages.c.id)
            .where(messages.c.check_at <= bench.clock.at, due._OF_LANE[lane])
            .order_by(messages.c.check_at)
        )
        with bench.world.database.reading() as c:
            text = query.compile(c, compile_kwargs={"literal_binds": True})
            plan = str(c.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all())
        assert f"ix_messages_{index} " in plan, plan
        assert "TEMP B-TREE" not in plan


@pytest.mark.one_engine
@pytest.mark.parametrize("answer", [refused(20003, 401), refused(20005, 403), Response(401, "")])
def test_account_that_refuses_is_asked_ever_more_seldom_and_not_for_ever(
    bench: Bench, answer: Response
) -> None:
    """Break: in `app/messages/follow_up.py`, `_run`, ask refusing accounts as any other."""
    message_id = bench.unconfirmed()
    for _ in range(30):
        bench.gateway.send(bench.tenant, to="+12025550177")
    start, ages = bench.clock.at, []
    while bench.clock.at - start < timedelta(hours=120):
        bench.clock.advance(60 if bench.clock.at - start < timedelta(hours=1) else 1200)
        ages += [(bench.clock.at - start)] * len(asked(bench, *[answer] * 20))
    pauses = [later - sooner for sooner, later in pairwise(ages)]
    assert len(ages) < 40
    assert max(pauses) >= timedelta(hours=6)
    assert ages[-1] < timedelta(hours=110)
    assert {row["check_at"] for row in bench.world.rows(messages)} == {None}
    assert bench.message(message_id)["status"] == "pending"
    assert [event["reason"] for event in bench.events(message_id)] == ["unclear"]


def test_refusing_account_does_not_hold_up_another(bench: Bench) -> None:
    other = bench.world.tenant(bench.tenant.organization_id, "Other", account_sid=OTHER_ACCOUNT)
    for _ in range(25):
        bench.gateway.send(bench.tenant)
    sent = bench.gateway.send(other).json
    bench.clock.advance(900)

    def answer(call: Call) -> Response:
        if OTHER_ACCOUNT in call.uri:
            return fetched(bench.twilios(sid=sent["message_sid"]))
        return refused(20003, 401)

    calls = asked(bench, *[answer] * 40) + asked(bench, *[answer] * 40)
    assert len(calls) == 2
    assert str(bench.world.rows(messages)).count("'delivered'") == 1


def test_new_auth_token_ends_the_waiting(bench: Bench) -> None:
    bench.unconfirmed()
    for seconds in (60, 60, 120, 240, 480):
        bench.clock.advance(seconds)
        assert len(asked(bench, refused(20003, 401))) == 1
    bench.clock.advance(60)
    assert asked(bench) == []
    with bench.world.database.writing() as c:
        token = bench.world.vault.seal(bench.tenant.account_sid, "another token")
        c.execute(update(provider_accounts).values(auth_token=token))
        assert load_refusing(c) == {}
    bench.clock.advance(60)
    assert len(asked(bench, listed())) == 1


def test_answer_ends_the_waiting(bench: Bench) -> None:
    sent = bench.gateway.send(bench.tenant).json
    bench.clock.advance(900)
    bench.round(refused(20003, 401))
    with bench.world.database.reading() as c:
        (found,) = load_refusing(c).values()
    assert (found.provider_code, found.failures) == (20003, 1)
    bench.clock.advance(600)
    bench.round(fetched(bench.twilios(sid=sent["message_sid"])))
    with bench.world.database.reading() as c:
        assert load_refusing(c) == {}


NONSENSE = [
    [], None, "text", 7, True, {}, {"messages": None}, {"messages": {}}, {"messages": [None]},
    {"messages": [[]]}, {"messages": [7]}, {"messages": [{}]}, {"messages": [{"sid": 7}]},
    {"sid": None}, {"sid": SID, "status": None}, {"sid": SID, "status": 7, "to": []},
    {"sid": "x" * 500, "status": "sent"}, {"sid": SID, "date_created": 7, "status": "sent"},
]  # fmt: skip


@pytest.mark.one_engine
@pytest.mark.parametrize("answer", NONSENSE, ids=json.dumps)
def test_defect_of_one_answer_concerns_that_message_alone(bench: Bench, answer: Any) -> None:
    """Break: in `app/providers/twilio/messages.py`, catch `TwilioException` alone."""
    unsettled = bench.unconfirmed(to="+12025550177")
    bench.clock.advance(1)
    other = bench.unconfirmed()
    created = format_datetime(bench.clock.at)
    broken = bench.gateway.send(bench.tenant).json
    sent = bench.gateway.send(bench.tenant).json
    nonsense = Response(200, json.dumps(answer))

    def answer_of(call: Call) -> Response:
        if (call.params or {}).get("To") == US_NUMBER:
            return listed(bench.twilios(date_created=created))
        if sent["message_sid"] in call.uri:
            return fetched(bench.twilios(sid=sent["message_sid"]))
        return nonsense

    for _ in range(3):
        bench.clock.advance(450)
        bench.round(*[answer_of] * 9)
    assert bench.message(unsettled)["status"] == "pending"
    assert bench.message(broken["id"])["status"] in {"pending", "sent"}
    assert bench.message(other)["message_sid"] == SID
    assert bench.message(sent["id"])["status"] == "delivered"


@pytest.mark.one_engine
def test_old_message_that_stands_first_does_not_end_the_reading(bench: Bench) -> None:
    """Break: in `app/providers/twilio/messages.py`, `_since`, end at the first old one."""
    message_id = bench.unconfirmed()
    created = format_datetime(bench.clock.at)
    old = format_datetime(bench.clock.at - timedelta(days=3))
    scheduled = [
        bench.twilios(sid=f"SM{place:032x}", status="scheduled", date_created=old)
        for place in range(99)
    ]
    bench.clock.advance(60)
    bench.round(listed(*scheduled, bench.twilios(date_created=created)))
    assert bench.message(message_id)["status"] == "delivered"


@pytest.mark.one_engine
def test_list_is_read_over_its_pages_and_not_without_end(bench: Bench) -> None:
    message_id = bench.unconfirmed()
    created = format_datetime(bench.clock.at)
    old = format_datetime(bench.clock.at - timedelta(days=3))
    next_page = {"next_page_uri": "/2010-04-01/Accounts/x/Messages.json?Page=1"}
    olds = [bench.twilios(sid=f"SM{place:032x}", date_created=old) for place in range(100)]
    first = Response(200, json.dumps({"messages": olds[:50]} | next_page))
    endless = Response(200, json.dumps({"messages": olds} | next_page))
    bench.clock.advance(60)
    bench.round(first, listed(bench.twilios(date_created=created)))
    assert bench.message(message_id)["status"] == "delivered"
    bench.unconfirmed()
    bench.clock.advance(60)
    bench.gateway.twilio.script = [endless] * 50
    bench.follow_up.settle_once()
    assert len(bench.gateway.twilio.script) >= 48


def test_reconcile_goes_in_batches_that_leave_out_rows_in_use(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `app/messages/due.py`, `hasten`, leave out `skip_locked`."""
    overdue_repairs(bench, 25)
    with bench.world.database.writing() as c:
        c.execute(update(messages).values(check_at=None))
    monkeypatch.setattr(due, "_BATCH", 10)
    since = bench.clock.at - timedelta(days=3650)
    database = bench.world.database
    if database.is_sqlite:
        assert hasten(database, since, bench.clock.at) == 25
        return
    ids = sorted(row["id"] for row in bench.world.rows(messages))
    with database.writing() as holding:
        holding.execute(update(messages).where(messages.c.id == ids[3]).values(checks=7))
        assert hasten(database, since, bench.clock.at) == 24
    left = [row["id"] for row in bench.world.rows(messages) if row["check_at"] is None]
    assert left == [ids[3]]


@pytest.mark.one_engine
def test_account_that_cannot_be_reached_is_asked_again_every_minute_at_first(
    bench: Bench,
) -> None:
    bench.unconfirmed()
    bench.clock.advance(3600)
    for _ in range(3):
        assert len(asked(bench, NotConnected("down"))) == 1
        bench.clock.advance(60)


def test_doctor_names_an_account_that_refuses(bench: Bench) -> None:
    database = bench.world.database
    assert list(_refusing(database)) == []
    bench.gateway.send(bench.tenant)
    bench.clock.advance(900)
    bench.round(refused(20003, 401))
    (finding,) = _refusing(database)
    assert not finding.is_well
    assert bench.tenant.account_sid in finding.text
    assert "20003" in finding.text
