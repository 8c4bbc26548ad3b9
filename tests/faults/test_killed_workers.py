"""A worker dies in the middle of its batch, or two work side by side: every job is done once."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from sqlalchemy import select, update

from app.db.engine import Database
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from app.kernel.clock import utc_now
from app.messages.tables import messages
from app.use_cases.tables import use_cases
from support.history import Reply, judge
from support.live_gateway import LiveGateway, number, start_live_gateway_here
from support.polling import PATIENCE_SECONDS, eventually
from support.processes import Process, running_worker


class Listing:
    """The provider's list of messages: who is asked for, and when the answers go out."""

    def __init__(self, live_gateway: LiveGateway, answered_at_once: int) -> None:
        application = live_gateway.twilio._application
        self._inner: Callable[..., Iterable[bytes]] = application.wsgi_app
        application.wsgi_app = self  # type: ignore[method-assign]
        self._lock = threading.Lock()
        self._answered_at_once = answered_at_once
        self._under_way: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.at_once_for_one = 0
        self.go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked = parse_qs(environ["QUERY_STRING"]).get("To")
        if asked is None:  # another page than the list
            return self._inner(environ, start_response)
        to = asked[0]
        with self._lock:
            self.asked[to] += 1
            self._under_way[to] += 1
            self.at_once_for_one = max(self.at_once_for_one, self._under_way[to])
            waits = self.asked.total() > self._answered_at_once
        if waits:
            self.go_on.wait(PATIENCE_SECONDS)
        try:
            return self._inner(environ, start_response)
        finally:
            with self._lock:
                self._under_way[to] -= 1


def test_claims_of_a_killed_worker_are_taken_over(database: Database, tmp_path: Path) -> None:
    """The lease of a dead worker runs out, and the next one asks for what it had not settled.

    Break: in `app/messages/reconciliation/claims.py`, `claim_due`, set `check_at` to None in place of the lease.
    """
    with start_live_gateway_here(database, tmp_path) as live_gateway:
        listing = Listing(live_gateway, answered_at_once=5)
        replies = _unconfirmed(live_gateway, 40)
        with _worker(live_gateway, "first") as first:
            eventually(lambda: listing.asked.total() == 6)
            first.kill()
        listing.go_on.set()
        assert _settled(live_gateway) == 5
        with _worker(live_gateway, "second"):
            eventually(lambda: _settled(live_gateway) == 25)
            _make_unsettled_due(live_gateway)
            eventually(lambda: _settled(live_gateway) == 40)
    verdict = judge(replies, live_gateway.created(), live_gateway.held())
    assert verdict.faults == ()
    assert len(verdict.recovered) == len(live_gateway.created()) == 40
    assert sorted(listing.asked.values()) == [1] * 39 + [2]


def test_two_workers_never_do_one_job_twice(database: Database, tmp_path: Path) -> None:
    """Both are in the middle of a batch at once, and none of their messages is the same.

    Break: in `app/messages/reconciliation/claims.py`, `claim_due`, set `check_at` to `now` in place of the lease.
    """
    with start_live_gateway_here(database, tmp_path) as live_gateway:
        listing = Listing(live_gateway, answered_at_once=0)
        replies = _unconfirmed(live_gateway, 60)
        with _worker(live_gateway, "first"), _worker(live_gateway, "second"):
            eventually(lambda: listing.asked.total() == 2)
            listing.go_on.set()
            eventually(lambda: _settled(live_gateway) == 60)
    verdict = judge(replies, live_gateway.created(), live_gateway.held())
    assert verdict.faults == ()
    assert len(live_gateway.created()) == 60
    assert set(listing.asked.values()) == {1}
    assert listing.at_once_for_one == 1


def test_the_resend_of_a_killed_worker_is_not_made_twice(
    database: Database, tmp_path: Path
) -> None:
    """It was counted before the call: the next worker looks for it by its time, and finds it.

    Break: in `app/messages/reconciliation/resend.py`, `count_resend`, leave `resent_at` out.
    """
    with start_live_gateway_here(database, tmp_path) as live_gateway:
        scenarios = live_gateway.emulator.scenarios
        scenarios.set_default(Scenario(create=CreateAnswer.DROP_CONNECTION))
        reply = live_gateway.send("once")
        assert reply.status == 504
        _make_old_and_resent(live_gateway)
        hangs = CreateAnswer.TIMEOUT_AFTER_ACCEPTING
        scenarios.set_default(Scenario(create=hangs, hold_seconds=9, callbacks=CallbackMode.LOST))
        with _worker(live_gateway, "first") as first:
            eventually(lambda: len(live_gateway.created()) == 1)
            first.kill()
        with live_gateway.database.reading() as connection:
            (row,) = connection.execute(select(messages)).all()
        assert (row.resends, row.submission, row.message_sid) == (1, "unconfirmed", None)
        with _worker(live_gateway, "second"):
            _make_unsettled_due(live_gateway)
            eventually(lambda: _settled(live_gateway) == 1)
    verdict = judge([reply], live_gateway.created(), live_gateway.held())
    assert verdict.faults == ()
    assert len(live_gateway.created()) == 1


def _make_old_and_resent(live_gateway: LiveGateway) -> None:
    """Let three minutes pass for what is unsettled, of a use case that has it sent again."""
    created_at = utc_now() - timedelta(minutes=3)
    with live_gateway.database.writing() as connection:
        connection.execute(update(use_cases).values(on_unconfirmed="resend"))
        connection.execute(update(messages).values(created_at=created_at, check_at=utc_now()))


def _unconfirmed(live_gateway: LiveGateway, count: int) -> list[Reply]:
    """Sends to numbers of their own that only the provider's list can settle, all due now."""
    create = CreateAnswer.ERROR_500_AFTER_ACCEPTING
    live_gateway.emulator.scenarios.set_default(
        Scenario(create=create, callbacks=CallbackMode.LOST)
    )
    places = range(count)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(live_gateway.send, map(str, places), map(number, places)))
    assert {one.status for one in replies} == {504}
    assert live_gateway.emulator.wait_until_quiet(PATIENCE_SECONDS)
    _make_unsettled_due(live_gateway)
    return replies


def _make_unsettled_due(live_gateway: LiveGateway) -> None:
    """Let the time pass until the next look, or until a lease has run out."""
    waits = (messages.c.submission != "accepted", messages.c.check_at.is_not(None))
    with live_gateway.database.writing() as connection:
        connection.execute(update(messages).where(*waits).values(check_at=utc_now()))


def _settled(live_gateway: LiveGateway) -> int:
    return sum(row.submission == "accepted" for row in live_gateway.held())


def _worker(live_gateway: LiveGateway, name: str) -> AbstractContextManager[Process]:
    return running_worker(live_gateway.environ, live_gateway.folder / f"{name}.log")
