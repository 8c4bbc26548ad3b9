"""Each filter of the list of messages is led to its rows by an index."""

import re
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, insert, select, update

from app.access.principal import Principal, Role
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.messages.lifecycle import Submission
from app.messages.queries.read import RECORD_COLUMNS, MessageFilter, newest_messages
from app.messages.tables import OPEN, messages
from app.providers.port import Status
from support.factories import US_NUMBER, Factory
from support.traffic import Past, write_messages

NOW = utc_now()
PRINCIPAL = Principal(uuid4(), "key", uuid4(), uuid4(), Role.VIEWER)
FILTERS: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "workspace_id_id"),
    ({"page_token": new_id()}, "workspace_id_id"),
    ({"status": Status.DELIVERED}, "workspace_id_id"),
    ({"status": Status.PENDING}, "listed_status"),
    ({"status": Status.SENT}, "listed_status"),
    ({"status": Status.UNDELIVERED}, "listed_status"),
    ({"status": Status.FAILED}, "listed_status"),
    ({"country": "US"}, "country_traffic"),
    ({"to_number": "+12025550123"}, "by_number"),
    ({"use_case_id": uuid4()}, "use_case_id_id"),
    ({"created_before": NOW - timedelta(days=9)}, "workspace_id_id"),
)


def _plan(connection: Connection, wanted: MessageFilter, principal: Principal) -> str:
    query = newest_messages(RECORD_COLUMNS, [principal.workspace_id], wanted, NOW)
    text = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    way = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN (COSTS OFF)"
    return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{way} {text}"))


@pytest.mark.one_engine
def test_each_filter_has_its_index_on_sqlite(database: Database) -> None:
    """Break: read `sent` by `status` alone."""
    wrong = []
    with database.reading() as connection:
        for wanted, index in FILTERS:
            plan = _plan(connection, MessageFilter(limit=20, **wanted), PRINCIPAL)
            used = set(re.findall(r"\w+ messages USING INDEX (\w+) ", plan))
            sorts = "TEMP B-TREE" in plan and index != "listed_status"
            if used != {f"ix_messages_{index}"} or sorts:
                wrong.append((wanted, plan))
    assert wrong == []


def test_each_filter_has_its_index_on_postgresql(fresh_postgres_url: str, cipher: Cipher) -> None:
    """Many were not delivered, and none has failed. Break: read `failed` by `status` alone."""
    database = Database(fresh_postgres_url, pool_size=1)
    factory = Factory(database, cipher)
    tenant = factory.tenant(factory.organization())
    write_messages(database, (Past(tenant, US_NUMBER, NOW, country="US") for _ in range(3000)))
    wrong = []
    principal = replace(PRINCIPAL, workspace_id=tenant.workspace_id)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("UPDATE messages SET status = 'undelivered'")
        connection.exec_driver_sql("VACUUM ANALYZE messages")
        connection.exec_driver_sql("SET enable_seqscan = off")  # of empty months
        for wanted, index in FILTERS:
            plan = _plan(connection, MessageFilter(limit=20, **wanted), principal)
            used = set(re.findall(r"(?:using|Index Scan on) (messages_\w+)", plan))
            keys = {"country_traffic": "country", "by_number": "to_number"}.get(index, index)
            others = [one for one in used if keys not in one]
            if "Seq Scan" in plan or others:
                wrong.append((wanted, plan))
    database.close()
    assert wrong == []


def test_each_write_keeps_the_status_of_lists(database: Database, factory: Factory) -> None:
    """Break: leave a trigger of migration 0031 out."""
    tenant = factory.tenant(factory.organization())
    states = list(product(Status, Submission, (None, NOW)))
    write_messages(database, [Past(tenant, US_NUMBER, NOW) for _ in states])
    columns, expected, inserted = messages.c, {}, {}
    with database.writing() as connection:
        ids = connection.execute(select(columns.id)).scalars().all()
        for message_id, (status, submission, check_at) in zip(ids, states, strict=True):
            row = {"status": status, "submission": submission, "check_at": check_at}
            connection.execute(update(messages).where(columns.id == message_id).values(row))
            expected[message_id] = _listed_status(status, submission, check_at)
            stored = select(messages).where(columns.id == message_id)
            copy = dict(connection.execute(stored).one()._mapping)
            copy |= {"id": new_id(), "listed_status": None}
            inserted[copy["id"]] = expected[message_id]
            connection.execute(insert(messages).values(copy))
        found = connection.execute(select(columns.id, columns.listed_status))
        assert {row.id: row.listed_status for row in found} == expected | inserted


def _listed_status(status: Status, submission: Submission, check_at: object) -> str | None:
    if status is Status.DELIVERED or submission in {
        Submission.REFUSED,
        Submission.NEVER_PROCESSED,
    }:
        return None
    is_open = status in {Status.PENDING, Status.SENT} and check_at is not None
    return OPEN if is_open else status
