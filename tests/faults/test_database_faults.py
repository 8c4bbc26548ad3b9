"""The database is gone, locked or full: a clear 503, nothing half done, and on it goes after."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from app.db.engine import Database
from app.db.schema import upgrade
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from support.history import Reply, judge
from support.live_gateway import Answer, LiveGateway, number, start_live_gateway
from support.locks import holding_messages
from support.own_postgres import own_postgres
from support.polling import eventually, limit_here

AT_ONCE = 8
CALLBACKS_WITHIN_SECONDS = 3.0
AWAY_SECONDS = (1, 5, 10)
SILENT, SLOW = number(90), number(91)
MOST_UNTIL_FULL = 400
BEFORE_FULL, ROUNDS = 60, 10


def test_while_postgresql_is_down_nothing_is_half_done(tmp_path: Path) -> None:
    """The server breaks off everything in mid-flight, and then is away for longer and longer.

    However long it lasts, everyone is turned away at once and served after, by who served before.
    Break: in `app/db/engine.py`, `_unavailable_as_public`, let errors pass; or in
    `app/messages/sending/record_outcome.py`, `settle`, let `problem` pass.
    """
    with own_postgres() as postgres:
        database = Database(postgres.url, pool_size=8)
        upgrade(database)
        with start_live_gateway(database, tmp_path) as live_gateway:
            web = live_gateway.web.children()
            replies = _outlives(live_gateway, postgres.stopped)
            for seconds in AWAY_SECONDS:
                sid = next(
                    one.sid
                    for one in live_gateway.created()
                    if one.message_id == replies[0].message_id
                )
                limit = _limit(live_gateway, replies[0].message_id, sid)
                with postgres.stopped():
                    away = _while_away(live_gateway, replies[0], sid, seconds, limit)
                database.close()
                _goes_on(live_gateway, replies, [one.key for one in away], number(0))
            _ends_well(live_gateway, replies)
            assert live_gateway.web.children() == web
        database.close()


def _while_away(
    live_gateway: LiveGateway, reply: Reply, sid: str, seconds: float, limit: float
) -> list[Reply]:
    """Send and call back until so much time is over."""
    until = time.monotonic() + seconds
    sends: list[Reply] = []
    answers: list[Answer] = []
    while time.monotonic() < until:
        sends.append(live_gateway.send(f"away {seconds} {len(sends)}", number(0)))
        answers.append(live_gateway.callback(reply.message_id, sid, "delivered"))
        time.sleep(0.2)
    assert {(one.status, one.code) for one in sends} == {(503, "ServiceUnavailable")}
    _are_turned_away_in_time(answers, limit)
    return sends


def test_while_the_database_is_locked_nothing_is_half_done(
    database: Database, tmp_path: Path
) -> None:
    """Another process writes for longer than anyone waits.

    Break: in `app/db/group_commit.py`, `_wait`, return `seconds` after any wait; or in
    `app/db/postgres.py`, leave `lock_timeout` out of `_OPTIONS`; or in `app/messages/sending/record_outcome.py`,
    `settle`, let `problem` pass.
    """
    with start_live_gateway(database, tmp_path) as live_gateway:
        _outlives(live_gateway, lambda: holding_messages(database))


def _outlives(
    live_gateway: LiveGateway, outage: Callable[[], AbstractContextManager[None]]
) -> list[Reply]:
    """Send and call back before, while and after the database is away; return the replies."""
    web = live_gateway.web.children()
    scenarios = live_gateway.emulator.scenarios
    scenarios.for_number(SILENT, Scenario(callbacks=CallbackMode.LOST))
    slow = Scenario(create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=6)
    scenarios.for_number(SLOW, slow)
    keys = [f"while away {place}" for place in range(AT_ONCE)]
    silent = live_gateway.send("silent", SILENT)
    sid = str(live_gateway.rows()[silent.message_id or ""]["message_sid"])
    limit = _limit(live_gateway, silent.message_id, sid)
    with ThreadPoolExecutor(2 * AT_ONCE) as pool:
        in_flight = pool.submit(live_gateway.send, "in flight", SLOW)
        eventually(lambda: live_gateway.emulator.messages.attempted == 2)
        with outage():
            calls = [
                pool.submit(_callbacks, live_gateway, silent.message_id, sid, place / AT_ONCE)
                for place in range(AT_ONCE)
            ]
            sends = list(pool.map(live_gateway.send, keys, [SILENT] * AT_ONCE))
            replies = [silent, in_flight.result(), *sends]
            _are_turned_away_in_time([one for call in calls for one in call.result()], limit)
    assert {(one.status, one.code) for one in sends} == {(503, "ServiceUnavailable")}
    assert (replies[1].status, replies[1].code) == (504, "SubmissionUnconfirmed")
    assert live_gateway.emulator.messages.attempted == 2
    live_gateway.database.close()
    _goes_on(live_gateway, replies, keys, SILENT)
    assert live_gateway.callback(silent.message_id, sid, "delivered").status == 204
    _ends_well(live_gateway, replies)
    assert live_gateway.web.children() == web
    return replies


def _callbacks(
    live_gateway: LiveGateway, message_id: str | None, sid: str, after_seconds: float
) -> list[Answer]:
    """Call back three times, out of step with the others."""
    time.sleep(after_seconds)
    return [live_gateway.callback(message_id, sid, "delivered") for _ in range(3)]


def _limit(live_gateway: LiveGateway, message_id: str | None, sid: str) -> float:
    return limit_here(
        CALLBACKS_WITHIN_SECONDS, lambda: live_gateway.callback(message_id, sid, "queued")
    )


def _are_turned_away_in_time(answers: list[Answer], limit: float) -> None:
    assert {answer.status for answer in answers} == {503}
    assert max(answer.seconds for answer in answers) < limit


def _goes_on(live_gateway: LiveGateway, replies: list[Reply], keys: list[str], to: str) -> None:
    """The same processes serve again, and the same keys are sent."""

    def serves() -> bool:
        replies.append(live_gateway.send("after"))
        return replies[-1].status == 201

    eventually(serves)
    for key in keys:
        eventually(lambda key=key: _again(live_gateway, replies, key, to))  # type: ignore[misc]


def _again(live_gateway: LiveGateway, replies: list[Reply], key: str, to: str) -> bool:
    replies.append(live_gateway.send(key, to))
    return replies[-1].status == 201


def _ends_well(live_gateway: LiveGateway, replies: list[Reply]) -> None:
    """See each key end once, as a message that was delivered."""
    assert live_gateway.emulator.wait_until_quiet(60)
    live_gateway.reconcile()
    verdict = judge(replies, live_gateway.created(), live_gateway.held())
    assert verdict.faults == ()
    assert len(live_gateway.created()) == len({one.key for one in replies})
    assert {row.status for row in live_gateway.held() if row.submission == "accepted"} == {
        "delivered"
    }


def test_while_the_disk_is_full_nothing_is_half_done(sqlite_url: str, tmp_path: Path) -> None:
    """Writing fails at any statement of a send or a callback; what failed leaves no trace.

    Break: in `app/db/sqlite.py`, let `begin` do nothing, so that each statement
    commits by itself; or in `unavailable_as_public` let errors pass.
    """
    database = Database(sqlite_url, pool_size=8)
    switch = tmp_path / "full"
    environ = {
        "DISK_IS_FULL_WHILE_THERE_IS": str(switch),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    with start_live_gateway(
        database, tmp_path, "support.small_disk:app", **environ
    ) as live_gateway:
        web = live_gateway.web.children()
        live_gateway.emulator.scenarios.set_default(Scenario(callbacks=CallbackMode.LOST))
        replies = [live_gateway.send(f"before {place}") for place in range(BEFORE_FULL)]
        sids = {one.message_id: one.sid for one in live_gateway.created()}
        switch.touch()
        called = {
            one: live_gateway.callback(one, sid, "delivered").status for one, sid in sids.items()
        }
        switch.unlink()
        for place in range(ROUNDS):
            replies.append(live_gateway.send(f"room {place} {'x' * 200}"))
            switch.touch()
            while replies[-1].status != 503:
                assert len(replies) < MOST_UNTIL_FULL
                replies.append(live_gateway.send(f"{len(replies)} {'x' * 200}"))
            switch.unlink()
        assert set(called.values()) == {204, 503}
        assert {one.code for one in replies if one.status == 503} == {"ServiceUnavailable"}
        assert {one.status for one in replies} <= {201, 503, 504}
        again = [live_gateway.send(one.key) for one in replies if one.status == 503]
        assert {one.status for one in again} == {201}
        replies += again
        turned_away = [one for one, status in called.items() if status == 503]
        answers = [live_gateway.callback(one, sids[one], "delivered") for one in turned_away]
        assert {answer.status for answer in answers} == {204}
        _ends_well(live_gateway, replies)
        assert live_gateway.web.children() == web
    database.close()
