"""`make bench`: a gateway on each engine, an emulated Twilio, clients, and one table.

Bounded in time and kept to loopback; ends what it starts and leaves nothing behind. What it measures
is one machine that does everything at once: the database, Twilio and the clients take their part.
"""

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.access.roles import Role
from app.db.engine import Database
from app.db.schema import upgrade
from app.emulator.scenarios import CallbackMode, Scenario
from bench.figures import milliseconds, percentile, percentiles, table
from bench.load import Client, Load, Served, call_back_for, send_for
from bench.lookups import (
    VERDICTS,
    fill,
    round_trips_of_a_send,
    seconds_of_a_check,
    seconds_of_a_page,
    seconds_of_reading_a_policy,
)
from support.own_postgres import own_postgres
from support.stage import Stage, staged
from support.world import AUTH_TOKEN

HEAD = (
    "engine",
    "web processes",
    "clients",
    "sends/s",
    "send p50 / p95 / p99 ms",
    "callbacks/s accepted",
    "round trips per send",
)
CLIENTS = {"SQLite": (1, 8), "PostgreSQL": (1, 8, 32)}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is asked of the machine."""

    seconds: float
    rows: int


def main() -> None:
    """Measure and print."""
    limits = _limits()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    versions, rows, lines = [], [], []
    with tempfile.TemporaryDirectory(prefix="borderpost-bench-") as folder:
        for engine, opened in (("SQLite", _sqlite), ("PostgreSQL", _postgres)):
            with opened(Path(folder)) as database, _staged(database, Path(folder)) as stage:
                version = _version(database)
                print(f"measuring on {version}", file=sys.stderr)
                versions.append(version)
                rows += _rows(engine, stage, limits)
                lines += [f"{engine}: {line}" for line in _lookups(stage, limits)]
    print(_machine(versions), table(HEAD, rows), *lines, sep="\n\n")


def _limits() -> Limits:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--seconds", type=float, default=8, help="how long each line is measured")
    parser.add_argument("--rows", type=int, default=1_000_000, help="messages in the large table")
    given = parser.parse_args()
    return Limits(given.seconds, given.rows)


@contextmanager
def _sqlite(folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{folder / 'borderpost.db'}", pool_size=4)
    upgrade(database)
    yield database
    database.close()


@contextmanager
def _postgres(_folder: Path) -> Iterator[Database]:
    with own_postgres() as server:
        database = Database(server.url, pool_size=4)
        upgrade(database)
        yield database
        database.close()


@contextmanager
def _staged(database: Database, folder: Path) -> Iterator[Stage]:
    """Serve as gunicorn.conf.py says where nothing is set."""
    processes = 1 if database.is_sqlite else os.cpu_count() or 2
    given = {"BORDERPOST_THREADS": "32", "WEB_CONCURRENCY": str(processes)}
    with staged(database, folder, **given) as stage:
        # Callbacks are measured by themselves: the emulator's own would be in the way of the sends.
        stage.emulator.scenarios.set_default(Scenario(callbacks=CallbackMode.LOST))
        yield stage


def _rows(engine: str, stage: Stage, limits: Limits) -> list[tuple[str, ...]]:
    served = _served(stage)
    send_for(served, 4, 2)  # connections, prepared statements, page cache
    trips = "" if stage.database.is_sqlite else str(round_trips_of_a_send(stage))
    found = []
    for clients in CLIENTS[engine]:
        sends = send_for(served, clients, limits.seconds)
        ids = [(one.body["id"], one.body["message_sid"]) for one in sends.answered(201)]
        callbacks = call_back_for(served, clients, limits.seconds / 2, ids)
        found.append(
            (
                engine,
                stage.environ["WEB_CONCURRENCY"],
                str(clients),
                _rate(sends, 201),
                percentiles([one.seconds for one in sends.asked]),
                _rate(callbacks, 204),
                trips or "none: a file",
            )
        )
    return found


def _rate(load: Load, status: int) -> str:
    done = len(load.answered(status))
    others = len(load.asked) - done
    return f"{done / load.seconds:.0f}" + (f" ({others} failed)" if others else "")


def _lookups(stage: Stage, limits: Limits) -> Iterator[str]:
    with closing(Client(_served(stage))) as client:
        read = seconds_of_reading_a_policy(stage)
        send = percentile([client.send(place).seconds for place in range(100)], 50)
        check = seconds_of_a_check(stage, client)
    yield (
        f"reading key, use case, policy and opt-outs takes {milliseconds(read)} ms, "
        f"{read / send:.0%} of a send of {milliseconds(send)} ms"
    )
    yield f"POST …/check with {VERDICTS} numbers: {milliseconds(check)} ms"
    if not stage.database.is_sqlite:
        yield _page(stage, limits.rows)


def _page(stage: Stage, rows: int) -> str:
    with stage.database.writing() as connection:
        fill(connection, rows)
    with stage.database.reading() as connection:
        connection.exec_driver_sql("ANALYZE messages")
    with closing(Client(_served(stage))) as client:
        newest, following = seconds_of_a_page(client)
    return (
        f"a page of 20 out of {rows:,} messages: the newest {milliseconds(newest)} ms, "
        f"those behind it {milliseconds(following)} ms"
    )


def _served(stage: Stage) -> Served:
    return Served(
        port=stage.port,
        public_url=stage.environ["BORDERPOST_PUBLIC_URL"],
        token=stage.tenant.keys[Role.SENDER],
        use_case_id=str(stage.tenant.use_case_id),
        account_sid=stage.tenant.account_sid,
        auth_token=AUTH_TOKEN,
    )


def _version(database: Database) -> str:
    if database.is_sqlite:
        return f"SQLite {sqlite3.sqlite_version}"
    with database.reading() as connection:
        return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}"


def _machine(versions: list[str]) -> str:
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f} at the end; "
        f"Python {platform.python_version()}, {', '.join(versions)}; "
        "database, emulated Twilio and clients on the same machine"
    )


if __name__ == "__main__":
    main()
