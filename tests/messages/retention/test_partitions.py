"""On PostgreSQL each month has a partition of its own, made ahead, and every id has its place."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from app.access.principal import Role
from app.db.engine import Database
from app.db.statement import Statement
from app.messages.delivery import apply_report as advance_module
from app.messages.retention.partitions import CreatedPartitions
from app.messages.sending import send as send_module
from app.messages.tables import message_events, messages
from support.factories import Factory, Gateway, Tenant
from support.locks import holding_messages
from support.months import create_partitions, partitions, places, write_event, write_message
from support.threads import together
from support.traffic import id_at

pytestmark = pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)

JANUARY = datetime(2040, 1, 31, 12, tzinfo=UTC)
BORDER = datetime(2040, 2, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
AHEAD = ["2040_02", "2040_03", "2040_04", "2040_05"]


def named(*months: str) -> tuple[str, ...]:
    return tuple(f"{table}_{month}" for table in ("messages", "message_events") for month in months)


def test_months_are_made_ahead_and_once(database: Database) -> None:
    assert create_partitions(database, JANUARY) == CreatedPartitions(named(*AHEAD))
    assert partitions(database)[-4:] == [f"messages_{month}" for month in AHEAD]
    assert create_partitions(database, JANUARY) == CreatedPartitions()
    assert create_partitions(database, BORDER - MILLISECOND) == CreatedPartitions()
    assert create_partitions(database, BORDER) == CreatedPartitions(named("2040_06"))


def test_concurrent_processes_create_each_month_once(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    others = [Database(url, pool_size=1) for _ in range(4)]
    made = together([partial(_create_all, one) for one in others])
    for one in others:
        one.close()
    assert sorted(name for each in made for name in each) == sorted(named(*AHEAD))
    assert partitions(database)[-4:] == [f"messages_{month}" for month in AHEAD]


def _create_all(database: Database) -> list[str]:
    """As the worker does each hour: what was busy is tried again."""
    made: list[str] = []
    for _ in range(1000):
        found = create_partitions(database, JANUARY)
        made += found.partitions
        if not found.busy:
            break
    return made


def test_a_busy_table_is_left_alone_and_tried_again(database: Database) -> None:
    with holding_messages(database):
        assert create_partitions(database, JANUARY) == CreatedPartitions(
            named(*AHEAD)[4:], ("messages",)
        )
    assert create_partitions(database, JANUARY) == CreatedPartitions(named(*AHEAD)[:4])


def test_rows_of_months_that_were_missed_stay_and_later_ones_go_to_their_month(
    database: Database, tenant: Tenant
) -> None:
    create_partitions(database, JANUARY)
    missed, late = (datetime(2040, month, 15, tzinfo=UTC) for month in (6, 9))
    rows = {at: write_message(database, tenant, at) for at in (JANUARY, missed, late)}
    write_event(database, rows[missed], late)
    create_partitions(database, datetime(2040, 7, 1, tzinfo=UTC))
    assert partitions(database)[-5:] == [
        f"messages_2040_{month}" for month in ("05", "08", "09", "10", "11")
    ]
    found = places(database)
    assert found[rows[missed]] == "messages_2040_05"
    assert found[rows[late]] == "messages_2040_09"
    assert found[rows[JANUARY]] not in {"messages_2040_02", *partitions(database)[-4:]}
    assert list(places(database, message_events).values()) == ["message_events_2040_09"]


@pytest.mark.parametrize(
    "stray", [UUID(int=1), UUID("c0ffee00-0000-4000-8000-000000000000"), UUID(int=(1 << 128) - 1)]
)
def test_an_id_of_no_time_has_its_place_too(
    database: Database, tenant: Tenant, stray: UUID
) -> None:
    write_message(database, tenant, JANUARY, message_id=stray)
    for months in range(1, 4):
        create_partitions(database, JANUARY + timedelta(days=31 * months))
    with database.reading() as c:
        found = c.execute(messages.select().where(messages.c.id == stray)).one()
    assert found.created_at == JANUARY


def test_every_partition_has_every_index_and_foreign_key_of_its_table(
    database: Database, tenant: Tenant
) -> None:
    create_partitions(database, JANUARY)
    write_message(database, tenant, datetime(2040, 5, 5, tzinfo=UTC))
    create_partitions(database, datetime(2040, 8, 5, tzinfo=UTC))
    with database.reading() as c:
        for table in (messages, message_events):
            count = len(partitions(database, table))
            indexes = c.execute(
                text(
                    "SELECT parent.indexrelid::regclass::text, count(child.indexrelid) "
                    "FROM pg_index AS parent "
                    "LEFT JOIN pg_inherits ON inhparent = parent.indexrelid "
                    "LEFT JOIN pg_index AS child ON child.indexrelid = inhrelid AND child.indisvalid "
                    "WHERE parent.indrelid = CAST(:table AS regclass) AND parent.indisvalid GROUP BY 1"
                ),
                {"table": table.name},
            )
            assert {row[0]: row[1] for row in indexes} == {
                str(name): count
                for name in [*(one.name for one in table.indexes), f"pk_{table.name}"]
            }
        keys = c.exec_driver_sql(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated "
            "AND conrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'messages'::regclass)"
        ).scalar_one()
    assert keys == 2 * len(partitions(database))


def test_a_message_and_its_reports_may_lie_in_two_months(
    gateway: Gateway, tenant: Tenant, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = factory.database
    create_partitions(database, JANUARY)
    create_partitions(database, BORDER)
    monkeypatch.setattr(send_module, "new_id", lambda: id_at(BORDER - MILLISECOND))
    sent = gateway.send(tenant, Idempotency_Key="k").json
    for at, word in ((BORDER - MILLISECOND, "sent"), (BORDER, "delivered")):
        monkeypatch.setattr(advance_module, "new_id", partial(id_at, at))
        assert gateway.callback(sent["id"], sent["message_sid"], word).status_code == 204
    monkeypatch.setattr(advance_module, "new_id", lambda: id_at(BORDER + MILLISECOND))
    assert gateway.callback(None, sent["message_sid"], "delivered").status_code == 204
    key = tenant.keys[Role.VIEWER]
    assert gateway.get(f"/v1/sms/{sent['id']}", key=key).json["status"] == "delivered"
    events = gateway.get(f"/v1/sms/{sent['id']}/events", key=key).json["items"]
    assert [one["applied"] for one in events] == [True, True, False]
    assert gateway.send(tenant, Idempotency_Key="k").json["id"] == sent["id"]
    assert "messages_2040_02" not in places(database).values()
    assert "message_events_2040_02" in places(database, message_events).values()


def explained(database: Database, statement: str, parameters: Any = None) -> list[str]:
    """The plan of a statement as it ran; what it did is undone."""
    with database.engine.connect() as c:
        return list(c.exec_driver_sql(f"EXPLAIN (ANALYZE) {statement}", parameters).scalars())


def test_a_lookup_by_id_reads_the_one_partition_that_can_have_it(
    database: Database, tenant: Tenant
) -> None:
    create_partitions(database, JANUARY)
    found = write_message(database, tenant, BORDER)
    plan = explained(database, f"SELECT * FROM messages WHERE id = '{found}'")
    assert {name for line in plan for name in re.findall(r" on (messages_\w+)", line)} == {
        "messages_2040_02"
    }


def test_a_callback_reads_the_one_partition_of_its_message(
    gateway: Gateway, tenant: Tenant, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = factory.database
    create_partitions(database, JANUARY)
    monkeypatch.setattr(send_module, "new_id", lambda: id_at(BORDER))
    sent = gateway.send(tenant).json
    statements: list[tuple[str, Any]] = []
    execute = Statement._execute

    def note(statement: Statement, connection: Connection, values: dict[str, Any]) -> Any:
        statements.append((statement.postgresql, values))
        return execute(statement, connection, values)

    monkeypatch.setattr(Statement, "_execute", note)
    gateway.callback(sent["id"], sent["message_sid"], "delivered")
    statement, parameters = next(one for one in statements if "decisions" in one[1])
    again = parameters | {"event_id": id_at(BORDER)}
    ran = [f"{line} " for line in explained(database, statement, again) if "never" not in line]
    read = {one for one in partitions(database) if any(f" on {one} " in line for line in ran)}
    assert read == {"messages_2040_02"}
