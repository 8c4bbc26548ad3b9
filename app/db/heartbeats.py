"""Heartbeats of the workers, and web hosts whose clock differs."""

from datetime import datetime

from sqlalchemy import Column, Connection, Integer, String, delete, func, select, update

from app.db.rows import upsert
from app.db.types import UtcDateTime, add_table

worker_heartbeats = add_table(
    "worker_heartbeats",
    Column("worker", String(100), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    # Seconds by which the clock of its host is ahead of the database's.
    Column("skew_seconds", Integer),
    # A task that does not end, or only fails.
    Column("stuck_task", String(40)),
    # Null unless it was stopped in order.
    Column("stopped_at", UtcDateTime),
)

# Has a row only while the clock of a host differs.
web_clocks = add_table(
    "web_clocks",
    Column("host", String(100), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    # Seconds by which it is ahead of the database's.
    Column("skew_seconds", Integer, nullable=False),
)


def beat(
    connection: Connection,
    worker: str,
    now: datetime,
    *,
    skew_seconds: int | None = None,
    stuck_task: str | None = None,
) -> None:
    # In a container, the next worker has the name of the one before.
    values = {"at": now, "skew_seconds": skew_seconds, "stuck_task": stuck_task, "stopped_at": None}
    upsert(connection, worker_heartbeats, {"worker": worker}, **values)


def record_stop(connection: Connection, worker: str, now: datetime) -> None:
    table = worker_heartbeats
    connection.execute(update(table).where(table.c.worker == worker).values(stopped_at=now))


def last_beat(connection: Connection) -> datetime | None:
    query = select(func.max(worker_heartbeats.c.at, type_=UtcDateTime()))
    found: datetime | None = connection.execute(query).scalar_one()
    return found


def forget(connection: Connection, before: datetime) -> None:
    for table in (worker_heartbeats, web_clocks):
        connection.execute(delete(table).where(table.c.at < before))


def record_web_clock(
    connection: Connection, host: str, now: datetime, skew_seconds: int | None
) -> None:
    if skew_seconds is None:
        connection.execute(delete(web_clocks).where(web_clocks.c.host == host))
    else:
        upsert(connection, web_clocks, {"host": host}, at=now, skew_seconds=skew_seconds)


def has_web_clock(connection: Connection, host: str) -> bool:
    query = select(web_clocks.c.host).where(web_clocks.c.host == host)
    return connection.execute(query).first() is not None
