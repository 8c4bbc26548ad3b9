"""`make growth`: what requests cost, and what rows and indexes hold, as the messages grow.

Builds a year of a busy tenant at each size, straight into the tables, and prints medians.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import structlog
from cryptography.fernet import Fernet

from app.access.principal import Role
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.schema import upgrade
from app.db.types import sqlite_time
from app.kernel.clock import Clock, rfc3339, utc_now
from app.kernel.ids import first_id_at
from app.messages.statistics.aggregate import AggregateMessages
from app.providers.port import Status
from bench.__main__ import ENGINES, describe, machine
from support.console import signed_in
from support.destinations import PolicyClient
from support.factories import ACCOUNT, SERVICE_SID, Factory, Gateway, Tenant, open_gateway
from support.guards import GuardsClient
from support.months import create_partitions
from support.own_postgres import own_postgres

SIZES = (10_000, 1_000_000)
YEAR = timedelta(days=365)
BODIES_KEPT, NUMBERS_KEPT, ASKED = (timedelta(days=days) for days in (7, 90, 4))
COUNTRIES = ("US",) * 70 + ("CA",) * 15 + ("GB",) * 9 + ("FR",) * 5 + ("BR",)
CALLING = {"US": "+1202", "CA": "+1416", "GB": "+4474", "FR": "+3361", "BR": "+5511"}
AREAS = ("202", "212", "305", "415")
RARE_NUMBER, RARE_COUNTRY = "+3545551234", "IS"
UNREPORTED = 0.02
# The newest messages are not reported yet; none of the busy tenant's is `failed`.
IN_FLIGHT = 200
REFUSALS_PER_MESSAGE = 0.05
TABLES = ("messages", "message_events")
Row: TypeAlias = tuple[Any, ...]
_One = TypeVar("_One")

_MESSAGE = [
    "id",
    "workspace_id",
    "use_case_id",
    "account_sid",
    "submission",
    "to_number",
    "country",
    "body",
    "counted_segments",
    "policy_revision",
    "messaging_service_sid",
    "message_sid",
    "sid_source",
    "from_number",
    "status",
    "num_segments",
    "handed_off_at",
    "delivered_at",
    "errored_at",
    "error_code",
    "check_at",
    "event_count",
    "created_at",
    "updated_at",
]
_EVENT = ["id", "message_id", "at", "status", "provider_status", "error_code", "applied"]
_REFUSAL = [
    "id",
    "workspace_id",
    "use_case_id",
    "at",
    "code",
    "source",
    "country",
    "rule",
    "scope",
    "revision",
    "masked_number",
    "segments",
]

_BYTES = """
SELECT t.relname, t.relname, sum(pg_relation_size(part.inhrelid))
FROM pg_class AS t JOIN pg_inherits AS part ON part.inhparent = t.oid
WHERE t.relname IN ('messages', 'message_events')
GROUP BY 1, 2
UNION ALL
SELECT t.relname, i.relname, sum(pg_relation_size(part.inhrelid))
FROM pg_class AS t
JOIN pg_index AS x ON x.indrelid = t.oid
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_inherits AS part ON part.inhparent = i.oid
WHERE t.relname IN ('messages', 'message_events')
GROUP BY 1, 2
"""
_SQLITE_BYTES = """
SELECT m.tbl_name, s.name, sum(s.pgsize) FROM dbstat AS s JOIN sqlite_master AS m USING (name)
WHERE m.tbl_name IN ('messages', 'message_events') GROUP BY 1, 2
"""


@dataclass
class Grown:
    """A gateway over a year of messages."""

    gateway: Gateway
    factory: Factory
    tenant: Tenant
    # A workspace with a twentieth of the messages, none of which was delivered.
    small: Tenant
    rare_use_case_id: UUID
    owner_key: str
    ids: list[str]
    live: list[tuple[str, str]]


def build(database: Database, count: int, folder: Path) -> Grown:
    """Write a year of a busy tenant and a small one, with counters and statistics."""
    now = utc_now()
    cipher = Cipher([Fernet.generate_key().decode()])
    factory = Factory(database, cipher)
    organization = factory.organization()
    every_country = dict.fromkeys((*CALLING, RARE_COUNTRY), "allowed")
    tenant = factory.tenant(organization, destinations=every_country)
    small = factory.tenant(organization, "Small", destinations=every_country)
    rare_use_case = factory.use_case(tenant.workspace_id)
    if not database.is_sqlite:
        for days in range(365, -1, -28):
            create_partitions(database, now - timedelta(days=days))
    rng = random.Random(1)
    ids: list[str] = []
    live: list[tuple[str, str]] = []
    uses = [one.hex for one in (tenant.use_case_id, small.use_case_id, rare_use_case)]
    spaces = [one.hex for one in (tenant.workspace_id, small.workspace_id, tenant.workspace_id)]

    def message_rows() -> Iterator[tuple[Row, list[Row]]]:
        for number in range(count):
            at = now - YEAR * ((count - number) / count)
            owner = 2 if number % 10_007 == 5 else 1 if number % 20 == 7 else 0
            place = spaces[owner], uses[owner]
            row, events = _message(rng, at, now, place, count - number, delivers=owner != 1)
            if owner == 0 and number % (count // 50 + 1) == 0:
                ids.append(str(UUID(row[0])))
            if owner == 0 and row[14] == "pending":
                live.append((str(UUID(row[0])), row[11]))
            yield row, events

    for some in _batched(message_rows(), 20_000):
        _write(database, "messages", _MESSAGE, (row for row, _ in some))
        _write(database, "message_events", _EVENT, (one for _, rows in some for one in rows))
    refusals = int(count * REFUSALS_PER_MESSAGE)
    _write(database, "refusals", _REFUSAL, _refusals(rng, now, tenant, refusals))
    _collect_statistics(database)
    aggregate = AggregateMessages(database, Clock())
    while aggregate.run_once():
        pass
    key = factory.keys(organization, None)[Role.OWNER]
    gateway = open_gateway(database, cipher, folder)
    return Grown(gateway, factory, tenant, small, rare_use_case, key, ids, live)


def _collect_statistics(database: Database) -> None:
    if database.is_sqlite:
        statements = ["ANALYZE"]
    else:
        statements = ["SET statement_timeout = 0", "VACUUM ANALYZE", "RESET statement_timeout"]
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _message(
    rng: random.Random,
    at: datetime,
    now: datetime,
    owner: tuple[str, str],
    age: int,
    *,
    delivers: bool,
) -> tuple[Row, list[Row]]:
    """Write a message as reports, worker and purge leave it at its age."""
    country = rng.choice(COUNTRIES)
    area = f"+1{rng.choice(AREAS)}" if country == "US" else CALLING[country]
    number = f"{area}{rng.randrange(10**7):07d}"
    if age % 50_021 == 3:
        country, number = RARE_COUNTRY, RARE_NUMBER
    if now - at > NUMBERS_KEPT:
        number = f"~{rng.getrandbits(60):015x}"
    drawn = rng.random()
    status = "pending"
    if age > IN_FLIGHT:
        is_delivered = delivers and drawn > 0.05
        status = "delivered" if is_delivered else "sent" if drawn < UNREPORTED else "undelivered"
    sent = None if status == "pending" else at + timedelta(seconds=1)
    ended = at + timedelta(seconds=3) if status in {"delivered", "undelivered"} else None
    asked = ended is None and now - at < ASKED
    error = 30003 if status == "undelivered" else None
    message_id, sid = _id_at(rng, at), f"SM{rng.getrandbits(128):032x}"
    reports = [("sent", sent), (status, ended)]
    events = [
        (
            _id_at(rng, when),
            message_id,
            _time(when),
            word,
            word,
            error if ended == when else None,
            1,
        )
        for word, when in reports
        if when is not None
    ]
    kept = now - at < BODIES_KEPT
    row = (
        *(message_id, *owner, ACCOUNT, "accepted", number, country),
        *("Your code is 4711. It is valid for ten minutes." if kept else None, 1, 1),
        *(SERVICE_SID, sid, "answer", "+12025550100", status, None if sent is None else 1),
        *(_time(sent), _time(ended) if error is None else None, _time(ended) if error else None),
        *(error, _time(now + timedelta(hours=1)) if asked else None, len(events)),
        *(_time(at), _time(ended or sent or at)),
    )
    return row, events


def _refusals(rng: random.Random, now: datetime, tenant: Tenant, count: int) -> Iterator[Row]:
    for number in range(count):
        at = now - NUMBERS_KEPT * ((count - number) / count)
        code = "RecipientOptedOut" if number == 3 else "DestinationBlocked"
        country = RARE_COUNTRY if number == 5 else "BR"
        yield (
            *(_id_at(rng, at), tenant.workspace_id.hex, tenant.use_case_id.hex, _time(at), code),
            *("policy", country, "country", "workspace", 1, "+55119612•••67", 1),
        )


def _id_at(rng: random.Random, at: datetime) -> str:
    return f"{first_id_at(at).int | rng.getrandbits(62):032x}"


def _time(at: datetime | None) -> str | None:
    return None if at is None else sqlite_time(at)


def _batched(rows: Iterable[_One], size: int) -> Iterator[list[_One]]:
    rest = iter(rows)
    while some := list(islice(rest, size)):
        yield some


def _write(database: Database, table: str, columns: list[str], rows: Iterable[Row]) -> None:
    names = ", ".join(columns)
    with database.writing() as connection:
        driver: Any = connection.connection.driver_connection
        if database.is_sqlite:
            marks = ", ".join("?" * len(columns))
            driver.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
            return
        with driver.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for some in _batched(rows, 500):
                lines = (
                    "\t".join("\\N" if value is None else str(value) for value in row)
                    for row in some
                )
                copy.write("\n".join(lines) + "\n")


def actions(grown: Grown) -> dict[str, Callable[[], Any]]:
    """Name each thing that is timed."""
    gateway, tenant = grown.gateway, grown.tenant
    some, live = cycle(grown.ids), iter(reversed(grown.live))
    page = signed_in(gateway, tenant.keys[Role.ADMIN])
    policy = PolicyClient(gateway, tenant, grown.factory).trying

    def get(path: str, key: str = tenant.keys[Role.ADMIN]) -> Callable[[], Any]:
        return lambda: gateway.get(path, key=key)

    lists = {
        "all": "",
        **{status.value: f"status={status.value}" for status in Status},
        "of a common country": "country=US",
        "of a rare country": f"country={RARE_COUNTRY}",
        "of a number": f"to_number={RARE_NUMBER.replace('+', '%2B')}",
        "of a rare use case": f"use_case_id={grown.rare_use_case_id}",
        "of an old month": f"created_before={rfc3339(utc_now() - YEAR / 2)}",
    }
    space = f"{policy.path}/refusals?limit=20"
    return {
        "look-up by id": lambda: gateway.get(f"/v1/sms/{next(some)}", key=grown.owner_key),
        "callback": lambda: gateway.callback(*next(live), "sent"),
        "send": lambda: gateway.send(tenant),
        **{f"list, {name}": get(f"/v1/sms?{query}") for name, query in lists.items()},
        **{
            f"list of the organization, {name}": get(f"/v1/sms?{lists[name]}", grown.owner_key)
            for name in ("all", "pending", "failed", "of a rare country")
        },
        "list, delivered, where none is": get(
            f"/v1/sms?{lists['delivered']}", grown.small.keys[Role.ADMIN]
        ),
        "refusals, all": get(space),
        "refusals of a rare country": get(f"{space}&country={RARE_COUNTRY}"),
        "refusals with a rare code": get(f"{space}&code=RecipientOptedOut"),
        **{
            f"page {name}": partial(page.get, f"/console{path}")
            for name, path in (
                ("Overview", ""),
                ("Overview, 30 days", "?period=30d"),
                ("Messages", "/messages"),
                ("Messages, failed", "/messages?status=failed"),
                ("Message", f"/messages/{grown.ids[0]}"),
                ("Refusals", "/refusals"),
                ("Destinations", "/destinations"),
                ("Usage", "/usage"),
                ("Guards", "/guards"),
                ("Guards, suggested", "/guards?suggested=1"),
                ("Alerts", "/alerts"),
            )
        },
        "dry run, a country": lambda: policy.block("US"),
        "dry run, every country": lambda: policy.put({}),
        "dry run, a prefix of half": lambda: policy.add_rule("prefix", "+12", "blocked"),
        "dry run, a prefix of a fifth": lambda: policy.add_rule("prefix", "+1202", "blocked"),
        "dry run, a number": lambda: policy.add_rule("number", RARE_NUMBER, "blocked"),
        "dry run, a country rule": lambda: policy.add_rule("country", "CA", "blocked"),
        "dry run of guards": partial(
            GuardsClient(gateway, tenant, grown.factory).ask,
            "PUT",
            f"/v1/workspaces/{tenant.workspace_id}/guards?dry_run=true",
            {"guards": {"workspace": {"mode": "enforce", "minute": 300, "day": "auto"}}},
        ),
        "metrics": lambda: gateway.client.get("/metrics", base_url="http://127.0.0.1"),
    }


def timed(action: Callable[[], Any], times: int) -> float:
    """Return the median in milliseconds, after one call that is not counted."""
    found = []
    for _ in range(times + 1):
        began = time.perf_counter()
        answer = action()
        found.append((time.perf_counter() - began) * 1000)
        assert answer.status_code < 300, answer.text
    return statistics.median(found[1:])


def stored_bytes(database: Database) -> dict[str, float]:
    """Return the bytes of messages and events, and of each of their indexes, by row."""
    with database.reading() as connection:
        counted = {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in TABLES
        }
        found = connection.exec_driver_sql(_SQLITE_BYTES if database.is_sqlite else _BYTES)
        sizes = {(table, name): int(size) for table, name, size in found}
    return {
        f"bytes: {name}": size / counted[table]
        for (table, name), size in sorted(sizes.items(), key=lambda one: (one[0][0], -one[1]))
    }


@contextmanager
def opened(engine: str, folder: Path) -> Iterator[Database]:
    """Give an empty, migrated database."""
    if engine == "SQLite":
        database = Database(f"sqlite:///{folder / 'growth.db'}", pool_size=4)
        upgrade(database)
        yield database
        database.close()
        return
    with own_postgres() as server:
        database = Database(server.url, pool_size=4)
        upgrade(database)
        yield database
        database.close()


def measure(engine: str, count: int, times: int) -> dict[str, float]:
    """Build a size on an engine, and return milliseconds and bytes by name."""
    with tempfile.TemporaryDirectory(prefix="borderpost-growth-") as name:
        folder = Path(name)
        with opened(engine, folder) as database:
            began = time.perf_counter()
            grown = build(database, count, folder)
            print(f"{engine}: {count} in {time.perf_counter() - began:.0f} s", file=sys.stderr)
            bytes_by_name = stored_bytes(database)
            return {
                name: timed(action, times) for name, action in actions(grown).items()
            } | bytes_by_name


def table(found: dict[str, dict[str, float]]) -> str:
    """Write a column for each size; the ratio is of the last to the first."""
    columns = list(found.values())
    first, last = columns[0], columns[-1]
    lines = [("", *found, "ratio"), ("---",) * (len(found) + 2)]
    for name, value in first.items():
        digits = 0 if name.startswith("bytes") else 1
        values = (f"{one.get(name, 0):.{digits}f}" for one in found.values())
        lines.append((name, *values, f"{last.get(name, 0) / (value or 1):.2f}"))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Measure each size on each engine, and print a table for each engine."""
    parser = argparse.ArgumentParser(prog="make growth")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--times", type=int, default=15, help="calls of each thing")
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    print(describe(machine()))
    for engine in given.engines:
        found = {f"{size:,}": measure(engine, size, given.times) for size in given.sizes}
        print(f"\n**{engine}**, milliseconds and bytes a row, by number of messages\n")
        print(table(found), flush=True)


if __name__ == "__main__":
    main()
