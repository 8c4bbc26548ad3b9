"""The primary of two PostgreSQL servers dies, its standby takes over, and the gateway goes on."""

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import update

from app.db.engine import Database
from app.db.heartbeats import last_beat
from app.db.schema import upgrade
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from app.kernel.clock import utc_now
from app.messages.tables import messages
from support.history import Told, judge
from support.live_gateway import LiveGateway, number, start_live_gateway
from support.polling import eventually
from support.processes import running_worker
from support.replicated_postgres import ReplicatedPostgres, replicated_postgres

CLIENTS = 6
BEFORE, AFTER = 40, 80
CONFLICTS = 8
CALLBACK_WITHIN_SECONDS = 3.0
SILENT, SLOW = number(90), number(91)
ANSWERED = {201, 504}


class Clients:
    """Clients that send until told to stop, each send with one key until it is answered."""

    def __init__(self, live_gateway: LiveGateway) -> None:
        self._stage = live_gateway
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.told: list[Told] = []

    def run(self, client: int) -> None:
        """Be one of them."""
        sent = 0
        while not self._stop.is_set():
            self._send_until_answered(f"{client}-{sent}", number(sent % 50))
            sent += 1

    def stop(self) -> None:
        """Let each end the send that it has begun."""
        self._stop.set()

    def count(self, status: int) -> int:
        """Count answers."""
        with self._lock:
            return sum(one.status == status for one in self.told)

    def turned_away(self) -> int:
        """Count the clients that were answered 503."""
        with self._lock:
            return len({one.key.partition("-")[0] for one in self.told if one.status == 503})

    def _send_until_answered(self, key: str, to: str) -> None:
        """Try again with the same key; what stays in conflict is left to the end."""
        tries: Counter[int | None] = Counter()
        while not (tries.keys() & ANSWERED or tries[409] == CONFLICTS or self._stop.is_set()):
            one = self._stage.send(key, to)
            tries[one.status] += 1
            with self._lock:
                self.told.append(one)
            if one.status not in ANSWERED:
                time.sleep(0.05)


def test_nothing_acknowledged_is_lost_when_a_standby_takes_over(tmp_path: Path) -> None:
    """What the dead primary had acknowledged its standby has; nobody restarts or changes anything.

    Break: in `app/db/postgres.py`, add `-c synchronous_commit=local` to `_OPTIONS`, so that answers
    do not wait for the standby; or leave out `target_session_attrs`: old data is then read. Or in
    `app/messages/sending/record_outcome.py`, `settle`, let `problem` pass.
    """
    with replicated_postgres() as servers:
        database = Database(servers.url, pool_size=8)
        upgrade(database)
        with (
            start_live_gateway(database, tmp_path) as live_gateway,
            running_worker(live_gateway.environ, tmp_path / "worker.log") as worker,
        ):
            eventually(lambda: _has_worker(database))
            web = live_gateway.web.children()
            told = _through_the_failover(live_gateway, servers)
            _is_settled_by_the_worker(live_gateway, told[0])
            assert worker.popen.poll() is None
            assert live_gateway.web.children() == web
            assert live_gateway.emulator.wait_until_quiet(60)
            live_gateway.reconcile()
            keys = {one.key: SLOW if one.key == "slow" else SILENT for one in told[:2]}
            keys |= {one.key: number(int(one.key.partition("-")[2]) % 50) for one in told[2:]}
            with ThreadPoolExecutor(CLIENTS) as pool:
                again = list(pool.map(live_gateway.send, keys.keys(), keys.values()))
        verdict = judge(told + again, live_gateway.created(), live_gateway.held())
        database.close()
        held = live_gateway.held()
        database.close()
    verdict = judge(told + again, live_gateway.created(), held)
    assert verdict.faults == ()
    assert {"silent", "slow"} <= set(verdict.recovered)
    assert {one.status for one in told} <= {201, 409, 503, 504}
    assert {one.status for one in again} == {201}
    assert {row.status for row in held if row.submission == "accepted"} == {"delivered"}


def _has_worker(database: Database) -> bool:
    with database.reading() as connection:
        return last_beat(connection) is not None


def _through_the_failover(live_gateway: LiveGateway, servers: ReplicatedPostgres) -> list[Told]:
    """Send before, while and after there is no primary."""
    scenarios = live_gateway.emulator.scenarios
    lost = CreateAnswer.ERROR_500_AFTER_ACCEPTING
    scenarios.for_number(SILENT, Scenario(create=lost, callbacks=CallbackMode.LOST))
    slow = Scenario(create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=4)
    scenarios.for_number(SLOW, slow)
    silent = live_gateway.send("silent", SILENT)
    clients = Clients(live_gateway)
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        running = [pool.submit(clients.run, client) for client in range(CLIENTS)]
        try:
            eventually(lambda: clients.count(201) >= BEFORE)
            in_flight = pool.submit(live_gateway.send, "slow", SLOW)
            eventually(lambda: any(one.key == "slow" for one in live_gateway.created()))
            _die(live_gateway, servers, clients)
            slow_told = _while_there_is_no_primary(live_gateway, silent, clients, in_flight)
            servers.promote()
            enough = clients.count(201) + AFTER
            eventually(lambda: clients.count(201) >= enough)
        finally:
            clients.stop()
        for one in running:
            one.result()
    assert (silent.status, slow_told.status) == (504, 504)
    return [silent, slow_told, *clients.told]


def _die(live_gateway: LiveGateway, servers: ReplicatedPostgres, clients: Clients) -> None:
    """Kill the primary while it alone has what every client waits for."""
    answered = clients.count(201)
    servers.hold_back()
    # Where commits do not wait for the standby, clients get answers that mean nothing.
    eventually(
        lambda: (
            servers.waiting_commits() >= CLIENTS or clients.count(201) >= answered + 10 * CLIENTS
        )
    )
    servers.kill_primary()
    live_gateway.database.close()


def _while_there_is_no_primary(
    live_gateway: LiveGateway, silent: Told, clients: Clients, in_flight: Future[Told]
) -> Told:
    """See everyone turned away, in time, and nothing read of the standby; wait for who waits."""
    eventually(lambda: clients.turned_away() == CLIENTS)
    assert live_gateway.get(f"/v1/sms/{silent.message_id}").status == 503
    called = live_gateway.callback(silent.message_id, "SM" + "0" * 32, "sent")
    assert called.status == 503
    assert called.seconds < CALLBACK_WITHIN_SECONDS
    return in_flight.result()


def _is_settled_by_the_worker(live_gateway: LiveGateway, told: Told) -> None:
    """Let the time pass until the worker, which was never restarted, looks for a message."""
    is_told = messages.c.id == told.message_id
    with live_gateway.database.writing() as connection:
        connection.execute(update(messages).where(is_told).values(check_at=utc_now()))
    eventually(lambda: live_gateway.rows()[told.message_id or ""]["submission"] == "accepted")
