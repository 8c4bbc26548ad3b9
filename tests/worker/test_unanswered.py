"""What waits, who refuses to answer, and answers that make no sense: none of it holds up the rest."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import (
    Integer,
    Uuid,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    update,
)
from twilio.http.response import Response

from app.access.tables import provider_accounts, workspaces
from app.cli.doctor import Finding, Level, _refusing
from app.kernel.ids import new_id
from app.messages.reconciliation import claims
from app.messages.reconciliation.claims import make_due_now
from app.messages.reconciliation.refusing_accounts import load_refusing
from app.messages.tables import messages
from app.providers.twilio.transport import NotConfirmed, NotConnected
from support.factories import OTHER_ACCOUNT, US_NUMBER, Tenant
from support.fake_twilio import Call, refused
from support.plans import statements_of
from support.worker_setup import SID, Worker, fetched, listed

pytestmark = pytest.mark.one_engine

MANY = 50_000
OTHER_SID = "SM" + "2" * 32


def overdue(
    worker: Worker, count: int, tenant: Tenant | None = None, *, is_settled: bool = True
) -> None:
    """Write messages that have waited for the worker for a long time, by one statement."""
    of = tenant or worker.tenant
    at = worker.clock.at - timedelta(hours=2)
    new = {
        "workspace_id": of.workspace_id,
        "use_case_id": of.use_case_id,
        "account_sid": of.account_sid,
        "submission": "accepted" if is_settled else "unconfirmed",
        "to_number": "+12025550177",
        "country": "US",
        "counted_segments": 1,
        "status": "sent" if is_settled else "pending",
        "created_at": at,
        "updated_at": at,
        "check_at": at,
    }
    database = worker.factory.database
    place = literal_column("place", Integer)
    first = new_id().int & ~((1 << 32) - 1)
    if database.is_sqlite:
        made_id = func.printf(f"{first >> 32:024x}%08x", place)
        sid = func.printf("SM%032x", place)
    else:
        made_id = cast(
            func.concat(f"{first >> 32:024x}", func.lpad(func.to_hex(place), 8, "0")), Uuid
        )
        sid = func.concat("SM", func.lpad(func.to_hex(place), 32, "0"))
    numbers = select(literal(1).label("place")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.place + 1).where(numbers.c.place < count))
    values = [made_id, sid if is_settled else null()]
    values += [literal(value, messages.c[name].type) for name, value in new.items()]
    with database.writing() as c:
        c.execute(
            insert(messages).from_select(
                ["id", "message_sid", *new], select(*values).select_from(numbers)
            )
        )


def asked(worker: Worker, *answers: Any) -> list[Call]:
    """The calls of one round of the worker."""
    before = len(worker.gateway.twilio.calls)
    worker.round(*answers)
    return worker.gateway.twilio.calls[before:]


def test_unsettled_submission_is_asked_about_before_all_overdue_repairs(worker: Worker) -> None:
    """Break: in `app/messages/reconciliation/claims.py`, `Lane`, put the repairs first."""
    overdue(worker, MANY)
    worker.clock.advance(3600)
    for settle in (worker.reconcile.settle_once, worker.reconcile.run_once):
        message_id = worker.unconfirmed()
        created = format_datetime(worker.clock.at)
        worker.clock.advance(60)
        sid = f"SM{new_id().int:032x}"
        worker.gateway.twilio.script = [listed(worker.twilios(sid=sid, date_created=created))]
        statements = count_statements(worker, settle)
        assert worker.message(message_id)["message_sid"] == sid
    # The last round had repairs, too: as many statements for each as without the others.
    assert statements < 25 * 10


def count_statements(worker: Worker, work: Callable[[], object]) -> int:
    """Do something and return how many statements the database got."""
    with statements_of(worker.factory.database) as seen:
        work()
    return len(seen)


def test_lanes_are_claimed_by_their_own_index(worker: Worker) -> None:
    if not worker.factory.database.is_sqlite:
        return  # PostgreSQL chooses by what its tables hold, which a small one does not show
    for lane, index in (
        (claims.ClaimLane.UNSETTLED, "unsettled"),
        (claims.ClaimLane.SETTLED, "due"),
    ):
        query = (
            select(messages.c.id)
            .where(messages.c.check_at <= worker.clock.at, claims._OF_LANE[lane])
            .order_by(messages.c.check_at)
        )
        with worker.factory.database.reading() as c:
            text = query.compile(c, compile_kwargs={"literal_binds": True})
            plan = str(c.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all())
        assert f"ix_messages_{index} " in plan, plan
        assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("answer", [refused(20003, 401), refused(20005, 403), Response(401, "")])
def test_account_that_refuses_is_asked_ever_more_seldom_and_not_for_ever(
    worker: Worker, answer: Response
) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_run`, ask refusing accounts as any other."""
    message_id = worker.unconfirmed()
    for _ in range(30):
        worker.gateway.send(worker.tenant, to="+12025550177")
    start, ages = worker.clock.at, []
    while worker.clock.at - start < timedelta(hours=120):
        worker.clock.advance(60 if worker.clock.at - start < timedelta(hours=1) else 1200)
        ages += [(worker.clock.at - start)] * len(asked(worker, *[answer] * 20))
    pauses = [later - sooner for sooner, later in pairwise(ages)]
    assert len(ages) < 40
    assert max(pauses) >= timedelta(hours=6)
    assert ages[-1] < timedelta(hours=110)
    assert {row["check_at"] for row in worker.factory.rows(messages)} == {None}
    assert worker.message(message_id)["status"] == "pending"
    assert [event["reason"] for event in worker.events(message_id)] == ["unclear"]


def test_refusing_account_does_not_hold_up_another(worker: Worker) -> None:
    other = worker.factory.tenant(worker.tenant.organization_id, "Other", account_sid=OTHER_ACCOUNT)
    for _ in range(25):
        worker.gateway.send(worker.tenant)
    sent = worker.gateway.send(other).json
    worker.clock.advance(900)

    def answer(call: Call) -> Response:
        if OTHER_ACCOUNT in call.uri:
            return fetched(worker.twilios(sid=sent["message_sid"]))
        return refused(20003, 401)

    calls = asked(worker, *[answer] * 40) + asked(worker, *[answer] * 40)
    assert len(calls) == 2
    assert str(worker.factory.rows(messages)).count("'delivered'") == 1


def test_new_auth_token_ends_the_waiting(worker: Worker) -> None:
    worker.unconfirmed()
    for seconds in (60, 60, 120, 240, 480):
        worker.clock.advance(seconds)
        assert len(asked(worker, refused(20003, 401))) == 1
    worker.clock.advance(60)
    assert asked(worker) == []
    with worker.factory.database.writing() as c:
        token = worker.factory.cipher.encrypt(worker.tenant.account_sid, "another token")
        c.execute(update(provider_accounts).values(auth_token=token))
        assert load_refusing(c) == {}
    worker.clock.advance(60)
    assert len(asked(worker, listed())) == 1


@pytest.mark.both_engines
def test_answer_ends_the_waiting(worker: Worker) -> None:
    sent = worker.gateway.send(worker.tenant).json
    worker.clock.advance(900)
    worker.round(refused(20003, 401))
    with worker.factory.database.reading() as c:
        (found,) = load_refusing(c).values()
    assert (found.provider_code, found.failures) == (20003, 1)
    worker.clock.advance(600)
    worker.round(fetched(worker.twilios(sid=sent["message_sid"])))
    with worker.factory.database.reading() as c:
        assert load_refusing(c) == {}


NONSENSE = [
    [], None, "text", 7, True, {}, {"messages": None}, {"messages": {}}, {"messages": [None]},
    {"messages": [[]]}, {"messages": [7]}, {"messages": [{}]}, {"messages": [{"sid": 7}]},
    {"sid": None}, {"sid": SID, "status": None}, {"sid": SID, "status": 7, "to": []},
    {"sid": "x" * 500, "status": "sent"}, {"sid": SID, "date_created": 7, "status": "sent"},
]  # fmt: skip


@pytest.mark.parametrize("answer", NONSENSE, ids=json.dumps)
def test_defect_of_one_answer_concerns_that_message_alone(worker: Worker, answer: Any) -> None:
    """Break: in `app/providers/twilio/messages.py`, `_pages`, raise no `TypeError`."""
    unsettled = worker.unconfirmed(to="+12025550177")
    worker.clock.advance(1)
    other = worker.unconfirmed()
    created = format_datetime(worker.clock.at)
    broken = worker.gateway.send(worker.tenant).json
    sent = worker.gateway.send(worker.tenant).json
    nonsense = Response(200, json.dumps(answer))

    def answer_of(call: Call) -> Response:
        if (call.params or {}).get("To") == US_NUMBER:
            return listed(worker.twilios(date_created=created))
        if sent["message_sid"] in call.uri:
            return fetched(worker.twilios(sid=sent["message_sid"]))
        return nonsense

    for _ in range(3):
        worker.clock.advance(450)
        worker.round(*[answer_of] * 9)
    assert worker.message(unsettled)["status"] == "pending"
    assert worker.message(broken["id"])["status"] in {"pending", "sent"}
    assert worker.message(other)["message_sid"] == SID
    assert worker.message(sent["id"])["status"] == "delivered"


DEFECTS: list[dict[str, Any]] = [
    {"sid": 7}, {"sid": None}, {"sid": []}, {"sid": "x" * 500}, {"sid": "SM" + "g" * 32},
    {"sid": SID + "1"}, {"sid": "MM\x00"}, {"status": None}, {"status": {}}, {"status": ""},
    {"status": "x" * 41}, {"status": "sent\x00"}, {"to": None}, {"to": 12025550123}, {"to": []},
]  # fmt: skip
# What these say is unknown, or is another message: the entry stays readable.
ODD: list[dict[str, Any]] = [
    {"date_created": value} for value in (7, [], "yesterday", "99", "1 Foo 99999", "\x00")
] + [{"body": 7}, {"body": []}, {"messaging_service_sid": 7}, {"messaging_service_sid": {}}]
BESIDE: dict[str, Any] = {
    "date_sent": [], "date_updated": "rubbish", "from": "\x00", "num_segments": 10**40,
    "price": "1" * 50, "price_unit": ["USD"], "error_code": 2**80, "num_media": {}, "uri": 7,
}  # fmt: skip


@pytest.mark.both_engines
@pytest.mark.parametrize("defects", [DEFECTS, ODD], ids=["unreadable", "unknown"])
def test_defect_of_one_entry_concerns_that_entry_alone(
    worker: Worker, defects: list[dict[str, Any]]
) -> None:
    """Break: in `app/providers/twilio/messages.py`, `_listing`, raise where `_read` returns None."""
    for defect in defects:
        message_id = worker.unconfirmed()
        created = format_datetime(worker.clock.at)
        broken = worker.twilios(sid=f"SM{2:032x}", body="x", date_created=created) | defect
        sid = f"SM{new_id().int:032x}"
        good = worker.twilios(sid=sid, date_created=created, **BESIDE)
        worker.clock.advance(60)
        worker.round(listed(broken, None, 7, [], good))
        assert worker.message(message_id)["message_sid"] == sid, defect
        (row,) = [one for one in worker.factory.rows(messages) if str(one["id"]) == message_id]
        written = [row[name] for name in ("from_number", "num_segments", "price", "price_unit")]
        assert written == [None, 1, None, None], defect


@pytest.mark.parametrize("entry", [*DEFECTS, None, 7, []], ids=str)
def test_entry_that_cannot_be_read_is_a_trace(worker: Worker, entry: Any) -> None:
    """Break: in `app/providers/twilio/messages.py`, `_listing`, leave the list complete."""
    message_id = worker.unconfirmed()
    created = format_datetime(worker.clock.at)
    found = {**worker.twilios(date_created=created), **entry} if isinstance(entry, dict) else entry
    worker.clock.advance(900)
    worker.round(listed(found))
    assert worker.message(message_id)["status"] == "pending"
    assert [event["reason"] for event in worker.events(message_id)] == ["unclear"]


@pytest.mark.parametrize(
    "fields",
    [
        *({"price": value} for value in ("1" * 50, "nan", "-1e5", "--1", 0.5, [], "1\x00")),
        *({"price_unit": value} for value in ("dollars", "U\x00D", 7, None, "£")),
        *({"from": value} for value in ("x" * 65, "\x00", 7, {})),
        *({"num_segments": value} for value in ("-1", "9" * 30, "1_0", 1.5, None)),
        *({"error_code": value} for value in ("x", 2**80, -1, [], 1.5)),
        *({"date_created": value} for value in ("rubbish", 7, None)),
    ],
    ids=str,
)
def test_value_that_cannot_be_read_is_not_written(worker: Worker, fields: dict[str, Any]) -> None:
    sent = worker.gateway.send(worker.tenant).json
    worker.clock.advance(900)
    worker.round(fetched(worker.twilios(sid=sent["message_sid"]) | fields))
    (row,) = worker.factory.rows(messages)
    assert row["status"] == "delivered"
    expected = {"price": "-0.0079", "price_unit": "USD", "from_number": "+12025550100"}
    expected |= {"num_segments": 2, "error_code": None}
    if "price" in fields or "price_unit" in fields:
        expected |= {"price": None, "price_unit": None}
    expected |= {"from": {"from_number": None}, "num_segments": {"num_segments": 1}}.get(
        next(iter(fields)), {}
    )
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("answer", "is_gone"),
    [
        (refused(20404, 404), True),
        (Response(404, ""), False),
        (Response(404, "<html>Not Found</html>"), False),
        (Response(404, json.dumps({"message": "Not Found"})), False),
        (Response(404, json.dumps({"code": 404, "status": 404, "message": "no"})), False),
        (Response(404, json.dumps({"code": "20405", "message": "no"})), False),
        (Response(404, json.dumps([20404])), False),
    ],
    ids=["20404", "empty", "page", "json", "404", "20405", "list"],
)
def test_only_twilios_own_code_means_that_a_message_does_not_exist(
    worker: Worker, answer: Response, is_gone: bool
) -> None:
    """Break: in `app/providers/twilio/messages.py`, `fetch`, look at the status of the answer."""
    sent = worker.gateway.send(worker.tenant).json
    worker.clock.advance(900)
    worker.round(answer)
    # Twilio's answer is taken, and the next look is at its usual time; others are asked again soon.
    (row,) = worker.factory.rows(messages)
    minutes = (row["check_at"] - worker.clock.at) / timedelta(minutes=1)
    assert minutes == (45 if is_gone else 5)
    worker.clock.advance(minutes * 60)
    assert worker.round(fetched(worker.twilios(sid=sent["message_sid"]))) == 1
    assert worker.message(sent["id"])["status"] == "delivered"


def pages(*found: list[dict[str, Any]]) -> list[Response]:
    """A list of Twilio's in pages; the last one ends it."""
    uris = [f"/2010-04-01/Accounts/x/Messages.json?Page={place + 1}" for place in range(len(found))]
    uris[-1:] = [""]
    return [
        Response(200, json.dumps({"messages": page, "next_page_uri": uri or None}))
        for page, uri in zip(found, uris, strict=True)
    ]


@pytest.mark.parametrize("scheduled_pages", [1, 7])
def test_scheduled_messages_at_the_top_do_not_end_the_reading(
    worker: Worker, scheduled_pages: int
) -> None:
    """Break: in `app/providers/twilio/messages.py`, `_listing`, count messages without DateSent."""
    message_id = worker.unconfirmed()
    created = format_datetime(worker.clock.at)
    old = format_datetime(worker.clock.at - timedelta(days=3))
    scheduled = [
        worker.twilios(sid=f"SM{place:032x}", status="scheduled", date_created=old, date_sent=None)
        for place in range(100)
    ]
    last = [worker.twilios(date_created=created)]
    worker.clock.advance(60)
    worker.round(*pages(*[scheduled] * scheduled_pages, last))
    assert worker.message(message_id)["status"] == "delivered"


def test_list_is_read_over_its_pages_and_not_without_end(worker: Worker) -> None:
    message_id = worker.unconfirmed()
    created = format_datetime(worker.clock.at)
    old = format_datetime(worker.clock.at - timedelta(days=3))
    olds = [
        worker.twilios(sid=f"SM{place:032x}", date_created=old, date_sent=old)
        for place in range(100)
    ]
    worker.clock.advance(60)
    worker.round(*pages(olds[:50], [worker.twilios(date_created=created)]))
    assert worker.message(message_id)["status"] == "delivered"
    second = worker.unconfirmed()
    worker.clock.advance(900)
    worker.gateway.twilio.script = pages(*[olds] * 50)
    worker.reconcile.settle_once()
    assert len(worker.gateway.twilio.script) == 49
    assert worker.message(second)["status"] == "failed"


def test_message_on_two_pages_is_one(worker: Worker) -> None:
    """A message that is sent while the pages are read moves the others to the next page.

    Break: in `app/providers/twilio/messages.py`, `_listing`, keep each.
    """
    ids = [worker.unconfirmed() for _ in range(2)]
    created = format_datetime(worker.clock.at)
    found = [worker.twilios(date_created=created, status=status) for status in ("queued", "sent")]
    worker.clock.advance(60)
    for _ in range(2):
        worker.round(*pages([found[0]], [found[1]]) * 2)
    assert [worker.message(one)["message_sid"] for one in ids] == [None, None]
    worker.gateway.callback(ids[0], OTHER_SID, "delivered")
    worker.clock.advance(60)
    worker.round(*pages([found[0]], [found[1]]))
    last = worker.message(ids[1])
    assert (last["message_sid"], last["status"]) == (SID, "sent")


def test_list_that_is_too_long_to_read_is_a_trace(worker: Worker) -> None:
    """Break: in `app/providers/twilio/messages.py`, `_listing`, leave the list complete."""
    message_id = worker.unconfirmed()
    old = format_datetime(worker.clock.at - timedelta(days=3))
    scheduled = [worker.twilios(status="scheduled", date_created=old, date_sent=None)]
    worker.clock.advance(900)
    worker.gateway.twilio.script = pages(*[scheduled * 100] * 50)
    worker.reconcile.settle_once()
    assert len(worker.gateway.twilio.script) == 30
    assert worker.message(message_id)["status"] == "pending"
    assert [event["reason"] for event in worker.events(message_id)] == ["unclear"]


@pytest.mark.both_engines
def test_reconcile_goes_in_batches_that_leave_out_rows_in_use(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `app/messages/reconciliation/claims.py`, `hasten`, leave out `skip_locked`."""
    overdue(worker, 25)
    worker.factory.write(update(messages).values(check_at=None))
    monkeypatch.setattr(claims, "_BATCH", 10)
    since = worker.clock.at - timedelta(days=3650)
    database = worker.factory.database
    if database.is_sqlite:
        assert make_due_now(database, since, worker.clock.at) == 25
        return
    ids = sorted(row["id"] for row in worker.factory.rows(messages))
    with database.writing() as holding:
        holding.execute(update(messages).where(messages.c.id == ids[3]).values(checks=7))
        assert make_due_now(database, since, worker.clock.at) == 24
    left = [row["id"] for row in worker.factory.rows(messages) if row["check_at"] is None]
    assert left == [ids[3]]


def test_account_that_cannot_be_reached_is_asked_again_every_minute_at_first(
    worker: Worker,
) -> None:
    worker.unconfirmed()
    worker.clock.advance(3600)
    for _ in range(3):
        assert len(asked(worker, NotConnected("down"))) == 1
        worker.clock.advance(60)


def findings(worker: Worker) -> list[Finding]:
    with worker.factory.database.reading() as c:
        return list(_refusing(c))


def test_doctor_names_an_account_that_refuses(worker: Worker) -> None:
    assert findings(worker) == []
    worker.gateway.send(worker.tenant)
    worker.clock.advance(900)
    worker.round(refused(20003, 401))
    (finding,) = findings(worker)
    assert finding.level is Level.BAD
    assert worker.tenant.account_sid in finding.text
    assert "20003" in finding.text


SILENCE = [
    NotConfirmed("slow"),
    Response(500, json.dumps({"code": 20500, "message": "no"})),
    Response(200, "<html>"),
]


@pytest.mark.parametrize("silence", SILENCE, ids=str)
def test_silent_account_is_asked_ever_more_seldom_and_not_for_ever(
    worker: Worker, silence: Any
) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_run`, note no account that is silent."""
    message_id = worker.unconfirmed()
    for _ in range(30):
        worker.gateway.send(worker.tenant, to="+12025550177")
    start, ages = worker.clock.at, []
    in_an_hour = (timedelta(hours=50), timedelta(hours=51))
    while (age := worker.clock.at - start) < timedelta(hours=100):
        is_watched = age < timedelta(minutes=10) or in_an_hour[0] <= age < in_an_hour[1]
        worker.clock.advance(60 if is_watched else 3000)
        ages += [worker.clock.at - start] * len(asked(worker, *[silence] * 20))
    of_the_hour = [age for age in ages if in_an_hour[0] < age <= in_an_hour[1]]
    assert 0 < len(of_the_hour) <= 12
    assert {row["check_at"] for row in worker.factory.rows(messages)} == {None}
    assert worker.message(message_id)["status"] == "pending"
    assert [event["reason"] for event in worker.events(message_id)] == ["unclear"]
    with worker.factory.database.reading() as c:
        (found,) = load_refusing(c).values()
    assert (found.is_silent, found.provider_code) == (True, None)
    (finding,) = findings(worker)
    assert "no readable answer" in finding.text
    assert worker.tenant.account_sid in finding.text


@pytest.mark.both_engines
@pytest.mark.parametrize("lane", ["settle_once", "repair_once"])
def test_silent_accounts_delay_no_other_account(worker: Worker, lane: str) -> None:
    """Calls that end without an answer take eleven seconds each: what matters is their number.

    Break: in `app/messages/reconciliation/claims.py`, `claim_due`, claim also of accounts that wait.
    """
    silent = [
        worker.factory.tenant(worker.tenant.organization_id, sid[-3:], account_sid=sid)
        for sid in (f"AC{place:032x}" for place in (1, 2))
    ]
    for tenant in silent:
        overdue(worker, 2000, tenant, is_settled=lane == "repair_once")
    worker.factory.write(update(messages).values(created_at=worker.clock.at - timedelta(hours=2)))
    if lane == "settle_once":
        message_id = worker.unconfirmed()
        answer = listed(worker.twilios(date_created=format_datetime(worker.clock.at)))
        worker.clock.advance(60)
    else:
        sent = worker.gateway.send(worker.tenant).json
        message_id = sent["id"]
        answer = fetched(worker.twilios(sid=sent["message_sid"]))
        worker.clock.advance(900)

    def answer_of(call: Call) -> Response:
        if worker.tenant.account_sid in call.uri:
            return answer
        raise NotConfirmed("slow")

    before = len(worker.gateway.twilio.calls)
    for _ in range(4):
        worker.gateway.twilio.script = [answer_of] * 40
        getattr(worker.reconcile, lane)()
    assert worker.message(message_id)["status"] == "delivered"
    assert len(worker.gateway.twilio.calls) - before <= 7


def test_accounts_that_fall_silent_together_delay_no_other(worker: Worker) -> None:
    """Eighteen accounts answer nothing until the send of another one is settled.

    Break: in `app/messages/reconciliation/reconcile.py`, `_run`, use one thread; in `_claim`, claim
    only the most overdue ones.
    """
    others = [
        worker.factory.tenant(worker.tenant.organization_id, sid[-3:], account_sid=sid)
        for sid in (f"AC{place:032x}" for place in range(1, 19))
    ]
    for tenant in others:
        overdue(worker, 20, tenant, is_settled=False)
    message_id = worker.unconfirmed()
    answer = listed(worker.twilios(date_created=format_datetime(worker.clock.at)))
    worker.clock.advance(60)
    has_answered, is_settled_meanwhile = threading.Event(), list[bool]()

    def answer_of(call: Call) -> Response:
        if worker.tenant.account_sid in call.uri:
            has_answered.set()
            return answer
        is_settled_meanwhile.append(has_answered.wait(10))
        raise NotConfirmed("slow")

    worker.gateway.twilio.script = [answer_of] * 40
    worker.reconcile.settle_once()
    assert worker.message(message_id)["status"] == "delivered"
    assert len(is_settled_meanwhile) >= len(others)
    assert all(is_settled_meanwhile)


@pytest.mark.both_engines
def test_account_with_many_unconfirmed_sends_delays_no_other(worker: Worker) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_run`, claim without a look at whose turn it is."""
    others = [
        worker.factory.tenant(worker.tenant.organization_id, sid[-3:], account_sid=sid)
        for sid in (f"AC{place:032x}" for place in (1, 2, 3))
    ]
    for tenant in others:
        overdue(worker, 500, tenant, is_settled=False)
    message_id = worker.unconfirmed()
    answer = listed(worker.twilios(date_created=format_datetime(worker.clock.at)))
    worker.clock.advance(60)

    def answer_of(call: Call) -> Response:
        return answer if worker.tenant.account_sid in call.uri else listed()

    for _ in range(len(others) + 1):
        worker.gateway.twilio.script = [answer_of] * 20
        worker.reconcile.settle_once()
    assert worker.message(message_id)["status"] == "delivered"


def test_claim_that_was_lost_is_not_asked_about(worker: Worker) -> None:
    """Break: in `app/messages/reconciliation/reconcile.py`, `_run`, do not look at the lease."""
    for _ in range(4):
        worker.unconfirmed()
    worker.clock.advance(60)

    def slow(_: Call) -> Response:
        worker.clock.at += claims.CLAIM_LEASE
        return listed()

    assert len(asked(worker, *[slow] * 4)) == 1


@pytest.mark.parametrize("is_settled", [True, False])
def test_message_of_a_deleted_account_stays_unchanged(worker: Worker, is_settled: bool) -> None:
    """Break: in `app/messages/reconciliation/claims.py`, `_load`, note nothing for messages without an account."""
    message_id = (
        worker.gateway.send(worker.tenant).json["id"] if is_settled else worker.unconfirmed()
    )
    worker.clock.advance(60)
    worker.factory.write(update(workspaces).values(account_sid=None), delete(provider_accounts))
    for _ in range(30):
        worker.clock.advance(60)
        assert asked(worker) == []
    assert worker.message(message_id)["status"] == "pending"
    reasons = [event["reason"] for event in worker.events(message_id)]
    assert reasons == ([] if is_settled else ["unclear"])
    assert [row["check_at"] for row in worker.factory.rows(messages)] == [None]
