"""How PostgreSQL reads for everything that is asked again and again, over a year of months.

An index must lead to the rows of each table that grows, and a period to its months alone.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select, table, text

from app.access.principal import Role
from app.db.engine import Database
from app.db.schema import upgrade
from app.guards.alerts import ClearAlerts
from app.guards.autos import RefreshAutos
from app.guards.delivery import WatchDelivery
from app.guards.purge import PurgeGuards
from app.guards.watchers import WatchOthers
from app.kernel.clock import Clock, utc_now
from app.messages.charges import CollectCharges, store_charges
from app.messages.history import GuardHistory
from app.messages.retention.expire import ExpireMessages
from app.messages.retention.purge import Erase, Purge
from app.messages.statistics.aggregate import AggregateMessages
from app.providers.port import Charge, GeoFacts
from app.webhooks.outbox import PurgeWebhooks
from bench.growth import RARE_NUMBER, Grown, actions, build
from support.console import signed_in
from support.factories import ACCOUNT
from support.plans import plans_of_all
from support.postgres import PostgresDatabases, postgres_url
from support.time import ManualClock
from support.webhooks import Hooks
from support.worker_setup import another_reconcile

GROWING = (
    "messages",
    "message_events",
    "refusals",
    "idempotency_keys",
    "webhook_events",
    "webhook_deliveries",
    "webhook_attempts",
    "audit_events",
    "message_counts",
)
_OF_GROWING = rf"((?:{'|'.join(GROWING)})(?:_before|_\d{{4}}_\d\d)?)\b"
SCAN = re.compile(rf"Seq Scan on {_OF_GROWING}")
INDEX_SCAN = re.compile(
    rf"(?:Index|Index Only) Scan(?: Backward)? using (\w+) on {_OF_GROWING}"
    rf"|Bitmap Index Scan on {_OF_GROWING}"
)
# Indexes of the rows that wait for something, the rows of before the first month of a table, and
# the message of a key.
IS_SMALL = re.compile(r"check_at_idx|_waiting|_before\b| sent_")
# A month has 250. PostgreSQL reads a table of fewer rows by any of its indexes: a month to come, or
# the current one in its first days.
FEW_ROWS = 100
# But for another message with the same SID, which is looked for where this one has none yet, and for
# the message of an idempotency key, whose month is only known as the statement runs.
MONTH = re.compile(r"\bon (?:messages|message_events)_(\d{4}_\d\d|before)\b(?! (?:other|sent)_)")
# Keys are kept for a day, and a number is erased seldom.
SCANNED = {("erase", "idempotency_keys")}
# 31 days or less, and the months that are created ahead.
MOST_MONTHS = 6
SOUGHT_NUMBER = re.compile(r"messages\.to_number(?:, messages\.id\))? (?:>=|=|>) \(?%")
COUNT = re.compile(r"\bcount\(")


class Asked(NamedTuple):
    """A statement that something made, with its plan."""

    by: str
    text: str
    plan: str
    small_tables: frozenset[str]

    @property
    def months(self) -> set[str]:
        return set(MONTH.findall(self.plan))

    @property
    def short(self) -> str:
        return f"{self.by}: {' '.join(self.text.split())[:300]}"


@pytest.fixture(scope="module")
def asked(
    postgres: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Asked]]:
    """Everything that requests, pages and the worker ask of a year of messages."""
    name = postgres.make_empty()
    database = Database(postgres_url(postgres.socket, name), pool_size=2)
    upgrade(database)
    found = []
    grown = build(database, 3000, tmp_path_factory.mktemp("grown"))
    small = _small_tables(database)
    for by, action in _actions(grown).items():
        with plans_of_all(database) as plans:
            answer = action()
        assert getattr(answer, "status_code", 200) < 300, by
        found += [Asked(by, text, plan, small) for text, plan in plans]
    yield found
    database.close()
    postgres.drop(name)


def _small_tables(database: Database) -> frozenset[str]:
    months = """SELECT relid::regclass::text FROM unnest(ARRAY['messages', 'message_events']) AS t,
  pg_partition_tree(t::regclass) WHERE isleaf"""
    with database.reading() as connection:
        names = connection.scalars(text(months)).all()
        counts = {
            name: connection.scalar(select(func.count()).select_from(table(name))) for name in names
        }
    assert sum(count >= FEW_ROWS for count in counts.values()) >= 22
    return frozenset(name for name, count in counts.items() if count < FEW_ROWS)


def _actions(grown: Grown) -> dict[str, Callable[[], Any]]:
    factory, tenant, gateway = grown.factory, grown.tenant, grown.gateway
    database = factory.database
    clock = Clock(lambda: utc_now() + timedelta(days=1))
    hooks = Hooks(factory, ManualClock(utc_now()))
    hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)
    reconcile = another_reconcile(factory, gateway, ManualClock(clock.now()))
    page = signed_in(gateway, tenant.keys[Role.ADMIN])
    key = tenant.keys[Role.VIEWER]
    erase = Erase(database, Purge(database, clock, "k" * 32))
    message_id, sid = grown.live[0]

    def store_prices() -> None:
        with database.writing() as connection:
            store_charges(connection, ACCOUNT, [Charge(sid, "-0.0079", "USD")])

    # First, because otherwise the first send or page of a day computes the limits.
    limits = {"limits of guards": RefreshAutos(database, Clock(), GuardHistory()).run_once}
    return (
        limits
        | actions(grown)
        | {
            "send with a key": lambda: gateway.send(tenant, Idempotency_Key="k"),
            "send with its key again": lambda: gateway.send(tenant, Idempotency_Key="k"),
            "callback by SID": lambda: gateway.callback(None, sid, "delivered"),
            "callback again": lambda: gateway.callback(message_id, sid, "delivered"),
            "events": lambda: gateway.get(f"/v1/sms/{message_id}/events", key=key),
            "page of a SID": lambda: page.get(f"/console/messages?to_number={sid}"),
            "settle": reconcile.settle_once,
            "repair": reconcile.repair_once,
            "counters": AggregateMessages(database, clock).run_once,
            "webhooks": hooks.run,
            "purge": Purge(database, clock, "k" * 32),
            "purge of webhooks": PurgeWebhooks(database, clock),
            "purge of guards": PurgeGuards(database, clock),
            "erase": lambda: erase(RARE_NUMBER),
            "shares of guards": WatchDelivery(database, clock, GuardHistory()).run_once,
            "alerts": ClearAlerts(database, clock).run_once,
            "watchers": WatchOthers(database, clock, GeoFacts()).run_once,
            "suggestion": lambda: page.get("/console/guards?suggested=1"),
            "charges": CollectCharges(database, reconcile.source, clock).run_once,
            "prices": store_prices,
            "expiry": ExpireMessages(database, clock, 400),
        }
    )


def test_each_growing_table_is_read_by_an_index(asked: list[Asked]) -> None:
    """Break: leave the index of the SID out of migration 0033."""
    found = {(one, table) for one in asked for table in SCAN.findall(one.plan)}
    assert [one.short for one, table in found if (one.by, table) not in SCANNED] == []


def test_no_index_of_messages_is_read_as_a_whole(asked: list[Asked]) -> None:
    """Break: in `newest_of`, leave out the range of pairs."""
    whole = [one.short for one in asked if list(_without_condition(one))]
    assert whole == []


def _without_condition(asked: Asked) -> Iterator[str]:
    """Find the scans of a large index without a condition."""
    lines = asked.plan.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        found = INDEX_SCAN.search(line)
        is_whole = found is not None and "Index Cond" not in after and not IS_SMALL.search(line)
        if is_whole and found[2] not in asked.small_tables:
            yield line


def test_numbers_are_sought_by_their_index(asked: list[Asked]) -> None:
    """Break: leave `HAS_NUMBER` out of the list of a number, of `_of_ranges`, `Erase` or `Purge`."""
    sought = [one for one in asked if SOUGHT_NUMBER.search(one.text)]
    assert {one.by for one in sought} >= {
        "list, of a number",
        "dry run, a prefix of half",
        "dry run, a number",
        "erase",
        "purge",
    }
    assert [one.short for one in sought if "_to_number_id_" not in one.plan] == []


def test_periods_read_their_months_alone(asked: list[Asked]) -> None:
    """Break: in `app/messages/queries/read.py`, `load_events`, leave out the earliest id."""
    names = ("look-up", "callback", "send", "events", "page Overview", "dry run", "limits of")
    wide = [
        (one.short, one.months)
        for one in asked
        if one.by.startswith(names)
        and one.by != "callback by SID"
        and len(one.months) > MOST_MONTHS
    ]
    assert wide == []


def test_no_request_counts_messages_by_reading_them(asked: list[Asked]) -> None:
    """Break: count the messages of a list."""
    names = ("look-up", "callback", "send", "list", "page", "metrics", "events")
    counted = [
        one.short
        for one in asked
        if one.by.startswith(names)
        and one.months
        and COUNT.search(one.text)
        and "LIMIT" not in one.text
    ]
    assert counted == []
