"""Each filter of the list of messages is led to its rows by an index."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection

from app.access.principal import Principal, Role
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.messages.queries.read import MessageFilter, newest_messages
from app.messages.record import RECORD_COLUMNS
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
    ({"to_number": "+12025550123"}, "number_traffic"),
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
            keys = {"country_traffic": "country", "number_traffic": "to_number"}.get(index, index)
            others = [one for one in used if keys not in one]
            if "Seq Scan" in plan or others:
                wrong.append((wanted, plan))
    database.close()
    assert wrong == []
