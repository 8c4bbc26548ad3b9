"""Two hosts and two workers behind nginx: each is killed in turn under load, and nothing is lost.

The database outlives them here; `test_failover.py` kills that.
"""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import pytest

from app.access.principal import Role
from app.db.engine import Database
from borderpost_client import Borderpost, Unconfirmed
from support.history import Told, judge
from support.live_gateway import LiveGateway, number, prepared_live_gateway
from support.nginx import find_nginx, free_ports, running_nginx
from support.polling import eventually
from support.processes import Process, running_gateway, running_worker

CLIENTS, BETWEEN_KILLS = 4, 12


@pytest.fixture
def engine_name() -> str:
    """Several hosts need a server database."""
    return "postgresql"


def test_each_part_is_killed_under_load_and_nothing_is_lost(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: let nginx resend what may have arrived (`non_idempotent`) without idempotency keys."""
    find_nginx()
    *hosts, at_root, prefixed, stripping, plain = free_ports(6)
    ports = [at_root, prefixed, stripping, plain]
    given = {"BORDERPOST_PUBLIC_URL": f"https://127.0.0.1:{at_root}", "WEB_CONCURRENCY": "1"}
    with (
        running_nginx(tmp_path / "nginx", hosts, ports) as proxy,
        prepared_live_gateway(database, tmp_path, **given) as live,
    ):
        monkeypatch.setenv("SSL_CERT_FILE", str(proxy.certificate))  # the emulator trusts it
        client = Borderpost(
            given["BORDERPOST_PUBLIC_URL"],
            live.tenant.keys[Role.SENDER],
            ca_certs=str(proxy.certificate),
            retry_seconds=60,
        )
        with client:
            told = _kill_each_in_turn(live, client, hosts, tmp_path)
        assert live.emulator.wait_until_quiet(60)
        live.reconcile()
        with running_gateway(_bound(hosts[0]), live.environ, tmp_path / "again.log"), client:
            ids = {
                client.send(
                    live.tenant.use_case_id, _number(one.key), one.key, idempotency_key=one.key
                ).id
                for one in told
            }
    assert ids == {one.message_id for one in told}
    verdict = judge(told, live.created(), live.held())
    assert verdict.faults == ()
    # A host may die between its commit and its call: such a message was never created.
    assert {row.status for row in live.held() if row.submission == "accepted"} == {"delivered"}


@contextmanager
def _under_load(live: LiveGateway, client: Borderpost) -> Iterator[list[Told]]:
    """Let clients send one message after the other until the block ends."""
    told: list[Told] = []
    end = Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(_client, live, client, place, end, told) for place in range(CLIENTS)]
        try:
            yield told
        finally:
            end.set()
        for one in clients:
            one.result()


def _client(
    live: LiveGateway, client: Borderpost, place: int, end: Event, told: list[Told]
) -> None:
    count = 0
    while not end.wait(0.05):
        count += 1
        key = f"{place}-{count}"
        use_case = live.tenant.use_case_id
        try:
            sent = client.send(use_case, _number(key), key, idempotency_key=key)
        except Unconfirmed as unconfirmed:
            told.append(Told(key, 504, unconfirmed.code, unconfirmed.message_id))
        else:
            told.append(Told(key, 201, None, sent.id, sent.status))


def _number(key: str) -> str:
    place, _, count = key.partition("-")
    return number(int(place) * 25 + int(count) % 25)


def _kill_each_in_turn(
    live: LiveGateway, client: Borderpost, hosts: list[int], folder: Path
) -> list[Told]:
    with ExitStack() as stack:  # what is started here outlives the load

        def start_host(port: int) -> Process:
            log = folder / f"host-{port}.log"
            return stack.enter_context(running_gateway(_bound(port), live.environ, log))

        def start_worker() -> Process:
            return stack.enter_context(running_worker(live.environ, folder / "workers.log"))

        first, second = start_host(hosts[0]), start_host(hosts[1])
        workers = [start_worker(), start_worker()]
        with _under_load(live, client) as told:
            _wait_for_more(told)
            first.kill()
            _wait_for_more(told)
            start_host(hosts[0])
            second.kill()
            _wait_for_more(told)
            for worker in workers:
                worker.kill()
            start_worker()
            _wait_for_more(told)
    return told


def _wait_for_more(told: list[Told]) -> None:
    wanted = len(told) + BETWEEN_KILLS
    eventually(lambda: len(told) >= wanted)


def _bound(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=256)
