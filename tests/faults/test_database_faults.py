"""The database is gone, locked or full: a clear 503, nothing half done, and on it goes after."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from app.db.engine import Database
from app.db.schema import upgrade
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from support.history import Told, judge
from support.locks import holding_messages
from support.own_postgres import own_postgres
from support.patience import eventually
from support.stage import Answer, Stage, number, staged

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
    `app/messages/settle.py`, `settle`, let `problem` pass.
    """
    with own_postgres() as postgres:
        database = Database(postgres.url, pool_size=8)
        upgrade(database)
        with staged(database, tmp_path) as stage:
            web = stage.web.children()
            told = _outlives(stage, postgres.stopped)
            for seconds in AWAY_SECONDS:
                with postgres.stopped():
                    away = _while_away(stage, told[0], seconds)
                database.close()
                _goes_on(stage, told, [one.key for one in away], number(0))
            _ends_well(stage, told)
            assert stage.web.children() == web
        database.close()


def _while_away(stage: Stage, told: Told, seconds: float) -> list[Told]:
    """Send and call back until so much time is over."""
    sid = next(one.sid for one in stage.created() if one.message_id == told.message_id)
    until = time.monotonic() + seconds
    sends: list[Told] = []
    answers: list[Answer] = []
    while time.monotonic() < until:
        sends.append(stage.send(f"away {seconds} {len(sends)}", number(0)))
        answers.append(stage.callback(told.message_id, sid, "delivered"))
        time.sleep(0.2)
    assert {(one.status, one.code) for one in sends} == {(503, "ServiceUnavailable")}
    _are_turned_away_in_time(answers)
    return sends


def test_while_the_database_is_locked_nothing_is_half_done(
    database: Database, tmp_path: Path
) -> None:
    """Another process writes for longer than anyone waits.

    Break: in `app/db/engine.py`, `_turn`, lend `_WAIT_SECONDS` whatever the wait was; or in
    `app/db/postgres.py`, leave `lock_timeout` out of `_OPTIONS`; or in `app/messages/settle.py`,
    `settle`, let `problem` pass.
    """
    with staged(database, tmp_path) as stage:
        _outlives(stage, lambda: holding_messages(database))


def _outlives(stage: Stage, outage: Callable[[], AbstractContextManager[None]]) -> list[Told]:
    """Send and call back before, while and after the database is away; what clients were told."""
    web = stage.web.children()
    scenarios = stage.emulator.scenarios
    scenarios.for_number(SILENT, Scenario(callbacks=CallbackMode.LOST))
    slow = Scenario(create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=3)
    scenarios.for_number(SLOW, slow)
    keys = [f"while away {place}" for place in range(AT_ONCE)]
    silent = stage.send("silent", SILENT)
    sid = str(stage.rows()[silent.message_id or ""]["message_sid"])
    with ThreadPoolExecutor(2 * AT_ONCE) as pool:
        in_flight = pool.submit(stage.send, "in flight", SLOW)
        eventually(lambda: stage.emulator.messages.attempted == 2)
        with outage():
            calls = [
                pool.submit(_callbacks, stage, silent.message_id, sid, place / AT_ONCE)
                for place in range(AT_ONCE)
            ]
            sends = list(pool.map(stage.send, keys, [SILENT] * AT_ONCE))
            told = [silent, in_flight.result(), *sends]
            _are_turned_away_in_time([answer for call in calls for answer in call.result()])
    assert {(one.status, one.code) for one in sends} == {(503, "ServiceUnavailable")}
    assert (told[1].status, told[1].code) == (504, "SubmissionUnconfirmed")
    assert stage.emulator.messages.attempted == 2
    stage.database.close()
    _goes_on(stage, told, keys, SILENT)
    assert stage.callback(silent.message_id, sid, "delivered").status == 204
    _ends_well(stage, told)
    assert stage.web.children() == web
    return told


def _callbacks(
    stage: Stage, message_id: str | None, sid: str, after_seconds: float
) -> list[Answer]:
    """Call back three times, out of step with the others."""
    time.sleep(after_seconds)
    return [stage.callback(message_id, sid, "delivered") for _ in range(3)]


def _are_turned_away_in_time(answers: list[Answer]) -> None:
    assert {answer.status for answer in answers} == {503}
    assert max(answer.seconds for answer in answers) < CALLBACKS_WITHIN_SECONDS


def _goes_on(stage: Stage, told: list[Told], keys: list[str], to: str) -> None:
    """The same processes serve again, and the same keys are sent."""

    def serves() -> bool:
        told.append(stage.send("after"))
        return told[-1].status == 201

    eventually(serves)
    for key in keys:
        eventually(lambda key=key: _again(stage, told, key, to))  # type: ignore[misc]


def _again(stage: Stage, told: list[Told], key: str, to: str) -> bool:
    told.append(stage.send(key, to))
    return told[-1].status == 201


def _ends_well(stage: Stage, told: list[Told]) -> None:
    """See each key end once, as a message that was delivered."""
    assert stage.emulator.wait_until_quiet(60)
    stage.follow_up()
    verdict = judge(told, stage.created(), stage.held())
    assert verdict.faults == ()
    assert len(stage.created()) == len({one.key for one in told})
    assert {row.status for row in stage.held() if row.submission == "accepted"} == {"delivered"}


def test_while_the_disk_is_full_nothing_is_half_done(sqlite_url: str, tmp_path: Path) -> None:
    """Writing fails at any statement of a send or a callback; what failed leaves no trace.

    Break: in `app/db/engine.py`, `_begin_sqlite`, leave out the last line, so that each statement
    commits by itself; or in `_unavailable_as_public` let errors pass.
    """
    database = Database(sqlite_url, pool_size=8)
    switch = tmp_path / "full"
    environ = {
        "DISK_IS_FULL_WHILE_THERE_IS": str(switch),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    with staged(database, tmp_path, "support.small_disk:app", **environ) as stage:
        web = stage.web.children()
        stage.emulator.scenarios.set_default(Scenario(callbacks=CallbackMode.LOST))
        told = [stage.send(f"before {place}") for place in range(BEFORE_FULL)]
        sids = {one.message_id: one.sid for one in stage.created()}
        switch.touch()
        called = {one: stage.callback(one, sid, "delivered").status for one, sid in sids.items()}
        switch.unlink()
        for place in range(ROUNDS):
            told.append(stage.send(f"room {place} {'x' * 200}"))
            switch.touch()
            while told[-1].status != 503:
                assert len(told) < MOST_UNTIL_FULL
                told.append(stage.send(f"{len(told)} {'x' * 200}"))
            switch.unlink()
        assert set(called.values()) == {204, 503}
        assert {one.code for one in told if one.status == 503} == {"ServiceUnavailable"}
        assert {one.status for one in told} <= {201, 503, 504}
        again = [stage.send(one.key) for one in told if one.status == 503]
        assert {one.status for one in again} == {201}
        told += again
        turned_away = [one for one, status in called.items() if status == 503]
        answers = [stage.callback(one, sids[one], "delivered") for one in turned_away]
        assert {answer.status for answer in answers} == {204}
        _ends_well(stage, told)
        assert stage.web.children() == web
    database.close()
