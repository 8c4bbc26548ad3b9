"""Sends from several processes with many threads each, all begun at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from app.access.principal import Role
from app.db.encryption import Cipher
from app.db.engine import Database
from support.disk import do_not_wait_for_the_disk
from support.factories import Gateway, Tenant, open_gateway
from support.fresh_process import FRESH
from support.polling import PATIENCE_SECONDS
from support.replace_services import another_client


@dataclass(frozen=True)
class Flood:
    """What one process sends: round by round, to each number from a thread of its own."""

    url: str
    vault_key: str
    instance: Path
    tenant: Tenant
    rounds: list[list[str]]


def send_at_once(floods: list[Flood]) -> list[Counter[str]]:
    """Send everything, each round in all processes at once.

    Return for each round how many ended with which code, `sent` for those that went out.
    """
    found: Any = FRESH.SimpleQueue()
    start = FRESH.Barrier(len(floods))
    processes = [FRESH.Process(target=_serve, args=(one, start, found)) for one in floods]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == 0
    of_processes = [found.get() for _ in processes]
    return [sum(of_round, Counter()) for of_round in zip(*of_processes, strict=True)]


def _serve(flood: Flood, start: Any, found: Any) -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    threads = max(map(len, flood.rounds))
    database = Database(flood.url, pool_size=threads)
    do_not_wait_for_the_disk(database)
    gateway = open_gateway(
        database, Cipher([flood.vault_key]), flood.instance, threads=2 * threads + 8
    )
    clients = [another_client(gateway) for _ in range(threads)]
    key = flood.tenant.keys[Role.SENDER]

    def send(client: Gateway, number: str) -> str:
        body = {
            "use_case_id": str(flood.tenant.use_case_id),
            "to_phone_number": number,
            "message": "hello",
        }
        answer = client.post("/v1/sms", body, key=key)
        return "sent" if answer.status_code == 201 else str(answer.json["code"])

    ends = []
    with ThreadPoolExecutor(threads) as pool:
        for numbers in flood.rounds:
            start.wait(PATIENCE_SECONDS)
            ends.append(Counter(pool.map(send, clients, numbers)))
    found.put(ends)
    database.close()
