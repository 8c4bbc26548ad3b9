"""A gateway of its own in another process, on the same database, asked over a pipe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

from app.db.encryption import Cipher
from app.db.engine import Database
from support.disk import do_not_wait_for_the_disk
from support.factories import open_gateway
from support.fresh_process import FRESH
from support.polling import PATIENCE_SECONDS


@dataclass(frozen=True)
class Asked:
    """One request to make, and who makes it."""

    method: str
    path: str
    body: Any
    token: str


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    json: Any
    etag: str | None


@dataclass(frozen=True)
class OtherProcess:
    """A process that makes one request at a time."""

    pipe: Connection

    def __call__(self, method: str, path: str, body: Any, token: str) -> Answered:
        self.pipe.send(Asked(method, path, body, token))
        assert self.pipe.poll(PATIENCE_SECONDS), "the other process does not answer"
        found: Answered = self.pipe.recv()
        return found


@contextmanager
def other_process(database: Database, vault_key: str, instance: Path) -> Iterator[OtherProcess]:
    """Start a fresh process, and end it."""
    ours, theirs = FRESH.Pipe()
    url = database.engine.url.render_as_string(hide_password=False)
    process = FRESH.Process(target=_serve, args=(theirs, url, vault_key, instance), daemon=True)
    process.start()
    theirs.close()
    try:
        yield OtherProcess(ours)
    finally:
        ours.send(None)
        process.join(PATIENCE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        ours.close()
        process.close()


def _serve(pipe: Connection, url: str, vault_key: str, instance: Path) -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    database = Database(url, pool_size=2)
    do_not_wait_for_the_disk(database)
    client = open_gateway(database, Cipher([vault_key]), instance).client
    while (asked := pipe.recv()) is not None:
        headers = {"Authorization": f"AccessKey {asked.token}"}
        answer = client.open(asked.path, method=asked.method, json=asked.body, headers=headers)
        answered = Answered(
            answer.status_code, answer.get_json(silent=True), answer.headers.get("ETag")
        )
        pipe.send(answered)
    database.close()
