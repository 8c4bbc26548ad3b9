"""Web processes die at any moment, and clients that try again notice nothing but a pause."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.db.engine import Database
from app.emulator.scenarios import CallbackMode, Scenario
from support.history import Reply, judge
from support.live_gateway import LiveGateway, number, start_live_gateway

CLIENTS, KILLS, SENDS = 8, 12, 300
WITHOUT_CALLBACKS = 10  # every tenth number
LONGEST_SECONDS = 240
TRIES = 8
ANSWERED = {201, 504}


def test_nothing_is_lost_or_doubled_while_web_processes_are_killed(
    database: Database, tmp_path: Path
) -> None:
    """Every send ends once, whenever its process dies.

    Break: in `app/messages/sending/send.py`, `_send`, call `open_guarded` with None in place of
    `call.idempotent`: keys are then sent twice. Or in `app/messages/reconciliation/reconcile.py`, `_settle`, leave
    out `self._report`: what a killed process had handed over is then never accepted.
    """
    with start_live_gateway(database, tmp_path) as live_gateway:
        for place in range(0, 100, WITHOUT_CALLBACKS):
            lost = Scenario(callbacks=CallbackMode.LOST)
            live_gateway.emulator.scenarios.for_number(number(place), lost)
        replies = _under_fire(live_gateway)
        assert live_gateway.emulator.wait_until_quiet(60)
        live_gateway.reconcile()
        keys = sorted({one.key for one in replies})
        with ThreadPoolExecutor(CLIENTS) as pool:
            again = list(pool.map(live_gateway.send, keys, map(_number, keys)))
    verdict = judge(replies + again, live_gateway.created(), live_gateway.held())
    assert verdict.faults == ()
    assert verdict.recovered
    assert {one.status for one in again} == {201}
    assert {row.status for row in live_gateway.held() if row.submission == "accepted"} == {
        "delivered"
    }


def _under_fire(live_gateway: LiveGateway) -> list[Reply]:
    """Let clients send while web processes are killed, until there was enough of both."""
    killed: list[int] = []
    sent: list[str] = []
    end = threading.Event()

    def is_enough() -> bool:
        return end.is_set() or (len(killed) >= KILLS and len(sent) >= SENDS)

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [
            pool.submit(_client, live_gateway, place, sent, is_enough) for place in range(CLIENTS)
        ]
        try:
            _kill_at_random(live_gateway, killed, is_enough)
        finally:
            end.set()
    assert len(killed) >= KILLS
    assert len(sent) >= SENDS
    return [one for client in clients for one in client.result()]


def _client(
    live_gateway: LiveGateway, place: int, sent: list[str], is_enough: Callable[[], bool]
) -> list[Reply]:
    replies: list[Reply] = []
    while not is_enough():
        key = f"{place}-{len(replies)}"
        sent.append(key)
        replies += _send_until_answered(live_gateway, key)
    return replies


def _number(key: str) -> str:
    return number(int(key.rpartition("-")[2]))


def _send_until_answered(live_gateway: LiveGateway, key: str) -> list[Reply]:
    """Try again with the same key; a send that stays in conflict is left to the end."""
    replies: list[Reply] = []
    while len(replies) < TRIES and not (replies and replies[-1].status in ANSWERED):
        replies.append(live_gateway.send(key, _number(key)))
        if replies[-1].status in {409, 429, 503}:
            time.sleep(0.05)
    return replies


def _kill_at_random(
    live_gateway: LiveGateway, killed: list[int], is_enough: Callable[[], bool]
) -> None:
    chance = random.Random(4)
    deadline = time.monotonic() + LONGEST_SECONDS
    while not is_enough() and time.monotonic() < deadline:
        time.sleep(chance.uniform(0.2, 0.5))
        alive = live_gateway.web.children()
        if alive:
            victim = chance.choice(alive)
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)
