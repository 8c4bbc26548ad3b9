"""Two hosts, two workers, a pooler and the primary of two databases are killed in turn under load.

One host and one worker reach PostgreSQL through PgBouncer, the others both servers directly; nginx is
in front of the hosts. Nothing acknowledged is lost, and nothing is sent twice.
"""

import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import func, select, update

from app.access.principal import Role
from app.db.engine import Database
from app.db.heartbeats import worker_heartbeats
from app.db.schema import upgrade
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from app.kernel.clock import utc_now
from app.messages.tables import messages
from borderpost_client import Borderpost, Unconfirmed
from support.history import Reply, judge
from support.live_gateway import LiveGateway, number, prepared_live_gateway
from support.nginx import find_nginx, running_nginx
from support.polling import eventually, limit_here
from support.pooler import Pooler, running_pooler
from support.ports import free_ports
from support.processes import Process, running_gateway, running_worker
from support.replicated_postgres import PORTS, ReplicatedPostgres, replicated_postgres

CLIENTS, BETWEEN_KILLS = 4, 8
PAUSE_SECONDS = 0.25  # of a client between two sends: faster ones only cost processor time
NUMBERS = {"silent": number(90), "slow": number(91)}
CALLBACK_WITHIN_SECONDS = 3.0


class Installation:
    """The parts, each of which can be killed and started."""

    def __init__(self, stack: ExitStack, live: LiveGateway, pooler: Pooler, folder: Path) -> None:
        self._stack, self._folder, self.pooler = stack, folder, pooler
        url = f"postgresql+psycopg://postgres@/postgres?host={pooler.folder}&port=6432"
        pooled = {"BORDERPOST_DATABASE_URL": url, "BORDERPOST_DATABASE_POOLER": "transaction"}
        self._environs: Mapping[str, dict[str, str]] = {
            "direct": live.environ,
            "pooled": live.environ | pooled,
        }

    def start_host(self, way: str, port: int) -> Process:
        bound = socket.create_server(("127.0.0.1", port), backlog=256)
        log = self._folder / f"host-{way}.log"
        return self._stack.enter_context(running_gateway(bound, self._environs[way], log))

    def start_worker(self, way: str) -> Process:
        log = self._folder / f"worker-{way}.log"
        return self._stack.enter_context(running_worker(self._environs[way], log))


class Load:
    """Clients that send one message after the other."""

    def __init__(self, live: LiveGateway, client: Borderpost) -> None:
        self._live, self._client, self._end = live, client, Event()
        self.replies: list[Reply] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let them send until the block ends."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._send_on, place) for place in range(CLIENTS)]
            try:
                yield
            finally:
                self._end.set()
            for one in clients:
                one.result()

    def send(self, key: str) -> Reply:
        """Send a message whose text is its idempotency key."""
        use_case = self._live.tenant.use_case_id
        try:
            sent = self._client.send(use_case, _number(key), key, idempotency_key=key)
        except Unconfirmed as unconfirmed:
            reply = Reply(key, 504, unconfirmed.code, unconfirmed.message_id)
        else:
            reply = Reply(key, 201, None, sent.id, sent.status)
        self.replies.append(reply)
        return reply

    def go_on(self) -> None:
        """Wait until some more messages were sent."""
        wanted = len(self.replies) + BETWEEN_KILLS
        eventually(lambda: len(self.replies) >= wanted)

    def _send_on(self, place: int) -> None:
        count = 0
        while not self._end.wait(PAUSE_SECONDS):
            count += 1
            self.send(f"{place}-{count}")


def test_each_part_is_killed_under_load_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break one of these.

    In nginx, resend what may have arrived (`non_idempotent`) without idempotency keys. In
    `app/db/postgres.py`, add `-c synchronous_commit=local` to `_OPTIONS`, so that answers do not wait for
    the standby, or leave out `target_session_attrs`, so that old data is read.
    """
    find_nginx()
    *hosts, at_root, prefixed, stripping, plain = free_ports(6)
    url = f"https://127.0.0.1:{at_root}"
    given = {"BORDERPOST_PUBLIC_URL": url, "WEB_CONCURRENCY": "1"}
    with ExitStack() as stack:
        proxy = stack.enter_context(
            running_nginx(tmp_path / "nginx", hosts, [at_root, prefixed, stripping, plain])
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(proxy.certificate))  # the emulator trusts it
        servers = stack.enter_context(replicated_postgres())
        pooler = stack.enter_context(running_pooler(servers.sockets["a"], PORTS["a"]))
        database = Database(servers.url, pool_size=8)
        stack.callback(database.close)
        upgrade(database)
        live = stack.enter_context(prepared_live_gateway(database, tmp_path, **given))
        ca_certs, key = str(proxy.certificate), live.tenant.keys[Role.SENDER]
        client = Borderpost(url, key, ca_certs=ca_certs, retry_seconds=120)
        load = Load(live, stack.enter_context(client))
        parts = Installation(stack, live, pooler, tmp_path)
        _kill_each_in_turn(live, load, parts, hosts, servers)
        assert live.emulator.wait_until_quiet(60)
        live.reconcile()
        replies = list(load.replies)
        with ThreadPoolExecutor(CLIENTS) as pool:
            again = list(pool.map(load.send, [one.key for one in replies]))
        held = live.held()
    verdict = judge(replies + again, live.created(), held)
    assert verdict.faults == ()
    assert set(NUMBERS) <= set(verdict.recovered)
    assert {one.status for one in again} == {201}
    # A host may die between its commit and its call: such a message was never created.
    assert {row.status for row in held if row.submission == "accepted"} == {"delivered"}


def _number(key: str) -> str:
    place, _, count = key.partition("-")
    return NUMBERS.get(key) or number(int(place) * 20 + int(count) % 20)


def _kill_each_in_turn(
    live: LiveGateway,
    load: Load,
    parts: Installation,
    hosts: list[int],
    servers: ReplicatedPostgres,
) -> None:
    scenarios = live.emulator.scenarios
    lost = CreateAnswer.ERROR_500_AFTER_ACCEPTING
    scenarios.for_number(NUMBERS["silent"], Scenario(create=lost, callbacks=CallbackMode.LOST))
    slow = Scenario(create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=8)
    scenarios.for_number(NUMBERS["slow"], slow)
    first, second = parts.start_host("pooled", hosts[0]), parts.start_host("direct", hosts[1])
    workers = [parts.start_worker("pooled"), parts.start_worker("direct")]
    silent = load.send("silent")
    with load.running():
        load.go_on()
        first.kill()
        load.go_on()
        parts.start_host("pooled", hosts[0])
        second.kill()
        load.go_on()
        parts.start_host("direct", hosts[1])
        for worker in workers:
            worker.kill()
        worker = parts.start_worker("direct")
        eventually(lambda: _heartbeats(live) > len(workers))
        parts.pooler.kill()
        load.go_on()
        parts.pooler.start()
        with ThreadPoolExecutor(1) as pool:
            in_flight = pool.submit(load.send, "slow")
            eventually(lambda: any(one.key == "slow" for one in live.created()))
            _lose_the_primary(live, load, servers)
            _see_everyone_turned_away(live, hosts, silent, in_flight)
        servers.promote()
        parts.pooler.ask_another(servers.sockets["b"], PORTS["b"])
        load.go_on()
        for port in hosts:
            eventually(lambda port=port: _ask(live, port, silent) == 200)  # type: ignore[misc]
        _wait_until_settled(live, silent)
    assert worker.popen.poll() is None


def _heartbeats(live: LiveGateway) -> int:
    with live.database.reading() as connection:
        counted = connection.execute(select(func.count()).select_from(worker_heartbeats))
        return counted.scalar_one()


def _lose_the_primary(live: LiveGateway, load: Load, servers: ReplicatedPostgres) -> None:
    """Kill the primary while it alone has what clients wait for."""
    answered = len(load.replies)
    servers.hold_back()
    # Where commits do not wait for the standby, clients get answers that mean nothing.
    eventually(
        lambda: servers.waiting_commits() >= CLIENTS or len(load.replies) >= answered + 10 * CLIENTS
    )
    servers.kill_primary()
    live.database.close()


def _see_everyone_turned_away(
    live: LiveGateway, hosts: list[int], silent: Reply, in_flight: Future[Reply]
) -> None:
    """See both hosts refuse, in time, and read nothing of the standby."""
    for port in hosts:
        eventually(lambda port=port: _ask(live, port, silent) == 503)  # type: ignore[misc]
        limit = limit_here(CALLBACK_WITHIN_SECONDS, lambda: live.get("/healthz"))
        called = live.callback(silent.message_id, "SM" + "0" * 32, "sent")
        assert called.status == 503
        assert called.seconds < limit
    assert in_flight.result().status == 504


def _ask(live: LiveGateway, port: int, reply: Reply) -> int:
    """Ask one host about a message, past the proxy."""
    live.port = port
    return live.get(f"/v1/sms/{reply.message_id}").status


def _wait_until_settled(live: LiveGateway, reply: Reply) -> None:
    """Let the time pass until the worker, which outlived the fail-over, looks for a message."""
    with live.database.writing() as connection:
        is_same = messages.c.id == reply.message_id
        connection.execute(update(messages).where(is_same).values(check_at=utc_now()))
    eventually(lambda: live.rows()[reply.message_id or ""]["submission"] == "accepted")
