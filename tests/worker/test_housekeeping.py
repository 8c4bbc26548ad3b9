"""The hourly tasks of the worker are reported in its log."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.db.clock import ClocksDiffer
from app.db.engine import Database
from app.db.heartbeats import worker_heartbeats
from app.guards.purge import PurgeGuards
from app.kernel.clock import Clock
from app.messages.retention.expire import ExpireMessages
from app.messages.retention.partitions import CreatePartitions
from app.messages.retention.purge import Purge
from app.users.sessions import PurgeSessions
from app.webhooks.outbox import PurgeWebhooks
from app.worker.housekeeping import Heartbeat, HourlyMonths, HourlyPurge
from support.factories import Tenant
from support.locks import holding_messages
from support.months import write_message

NOW = datetime(2040, 1, 31, 12, tzinfo=UTC)


def sweep(database: Database, now: datetime) -> list[tuple[str, str]]:
    clock = Clock(lambda: now)
    months = HourlyMonths(CreatePartitions(database, clock))
    purge = HourlyPurge(
        Purge(database, clock, "k" * 32),
        PurgeWebhooks(database, clock),
        PurgeSessions(database, clock),
        ExpireMessages(database, clock, 400),
        PurgeGuards(database, clock),
    )
    with capture_logs() as lines:
        assert (months.run_once(), purge.run_once()) == (0, 0)
    return [(line["event"], line.get("partition") or line["table"]) for line in lines]


def test_a_heartbeat_says_what_is_wrong_with_its_worker(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat = Heartbeat(database, Clock(), "host:1", lambda: "webhooks")
    heartbeat.run_once()
    heartbeat.stop()

    def stored() -> tuple[Any, ...]:
        with database.reading() as connection:
            row = connection.execute(select(worker_heartbeats)).one()
        return row.skew_seconds, row.stuck_task, row.stopped_at is not None

    assert stored() == (None, "webhooks", True)

    def differ(_: Database) -> None:
        raise ClocksDiffer(timedelta(seconds=-75))

    monkeypatch.setattr("app.worker.housekeeping.require_same_time", differ)
    heartbeat.run_once()
    assert stored() == (-75, "webhooks", False)


def test_hourly_task_creates_months_and_purges(database: Database, tenant: Tenant) -> None:
    write_message(database, tenant, NOW)
    logged = sweep(database, NOW + timedelta(days=500))
    with database.reading() as c:
        assert c.exec_driver_sql("SELECT count(*) FROM messages").scalar_one() == 0
    if not database.is_sqlite:
        assert ("month_made", "messages_2041_07") in logged
        assert ("month_dropped", "messages_before") in logged
    assert sweep(database, NOW + timedelta(days=500)) == []


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_table_in_use_is_logged_and_left_for_the_next_hour(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Purge, "__call__", lambda _: None)
    sweep(database, NOW)
    with holding_messages(database):
        logged = sweep(database, NOW + timedelta(days=600))
    assert ("month_not_made", "messages") in logged
    assert ("month_not_dropped", "messages") in logged
    assert ("month_dropped", "messages_2040_02") in sweep(database, NOW + timedelta(days=600))
