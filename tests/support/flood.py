"""Sends from several processes with many threads each, all begun at once."""

import multiprocessing
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from app.access.roles import Role
from app.db.engine import Database
from app.db.vault import Vault
from support.disk import do_not_wait_for_the_disk
from support.rewire import another_client
from support.world import Tenant, open_gateway

_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Flood:
    """What one process sends: one message to each number, each in a thread of its own."""

    url: str
    vault_key: str
    instance: Path
    tenant: Tenant
    numbers: list[str]


def send_at_once(floods: list[Flood]) -> Counter[str]:
    """Send everything; return how many ended with which code, `sent` for those that went out."""
    context = multiprocessing.get_context("spawn")
    found: Any = context.SimpleQueue()
    start = context.Barrier(len(floods))
    processes = [context.Process(target=_serve, args=(one, start, found)) for one in floods]
    for process in processes:
        process.start()
    ends: Counter[str] = Counter()
    for process in processes:
        process.join(_PATIENCE_SECONDS)
        assert process.exitcode == 0
    for _ in processes:
        ends += found.get()
    return ends


def _serve(flood: Flood, start: Any, found: Any) -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    threads = len(flood.numbers)
    database = Database(flood.url, pool_size=threads)
    do_not_wait_for_the_disk(database)
    vault = Vault([flood.vault_key])
    gateway = open_gateway(database, vault, flood.instance, threads=2 * threads + 8)
    clients = [another_client(gateway) for _ in flood.numbers]
    key = flood.tenant.keys[Role.SENDER]

    def send(place: int) -> str:
        body = {
            "use_case_id": str(flood.tenant.use_case_id),
            "to_phone_number": flood.numbers[place],
            "message": "hello",
        }
        answer = clients[place].post("/v1/sms", body, key=key)
        return "sent" if answer.status_code == 201 else str(answer.json["code"])

    start.wait(_PATIENCE_SECONDS)
    with ThreadPoolExecutor(threads) as pool:
        found.put(Counter(pool.map(send, range(threads))))
    database.close()
