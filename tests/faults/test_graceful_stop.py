"""SIGTERM during sends: accepted requests are answered, and retries at the stop are safe."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.db.engine import Database
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from support.history import Reply, judge
from support.live_gateway import LiveGateway, number, start_live_gateway
from support.polling import PATIENCE_SECONDS, eventually

SLOW, QUICK_CLIENTS = 8, 4
HELD_SECONDS = 8


def test_sigterm_answers_accepted_sends_and_loses_none(database: Database, tmp_path: Path) -> None:
    """Requests that wait for the provider are answered, and later connections are refused.

    A connection that begins while the listeners close is reset; its client repeats the send with
    the same key, as clients do, and nothing is lost or sent twice.

    Break: in `gunicorn.conf.py`, set `graceful_timeout` to 1; or leave out `listener.close()`.
    """
    lost = CallbackMode.LOST  # who would call back finds nobody there
    create = CreateAnswer.TIMEOUT_AFTER_ACCEPTING
    slow = Scenario(create=create, hold_seconds=HELD_SECONDS, callbacks=lost)
    with start_live_gateway(database, tmp_path) as live_gateway:
        live_gateway.emulator.scenarios.set_default(Scenario(callbacks=lost))
        for place in range(SLOW):
            live_gateway.emulator.scenarios.for_number(number(place), slow)
        with ThreadPoolExecutor(SLOW + QUICK_CLIENTS) as pool:
            held = [pool.submit(live_gateway.send, f"slow {i}", number(i)) for i in range(SLOW)]
            eventually(lambda: live_gateway.emulator.messages.attempted == SLOW)
            quick = [pool.submit(_until_refused, live_gateway, i) for i in range(QUICK_CLIENTS)]
            eventually(lambda: live_gateway.emulator.messages.attempted >= SLOW + 20)
            live_gateway.web.popen.terminate()
            replies = [t for one in quick for t in one.result()]
            assert not any(one.done() for one in held), "refused only after the slowest request"
            replies += [one.result() for one in held]
            assert live_gateway.web.popen.wait(PATIENCE_SECONDS) == 0
        assert live_gateway.emulator.wait_until_quiet(60)
        live_gateway.reconcile()
    assert {one.status for one in replies if one.key.startswith("slow")} == {201}
    assert {one.status for one in replies} <= {201, None}
    assert judge(replies, live_gateway.created(), live_gateway.held()).faults == ()


def _until_refused(live_gateway: LiveGateway, client: int) -> list[Reply]:
    replies: list[Reply] = []
    while True:
        try:
            replies.append(live_gateway.send(f"quick {client} {len(replies)}", number(50 + client)))
        except ConnectionRefusedError:
            return replies
