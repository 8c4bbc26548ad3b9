"""Heartbeats of the workers."""

from datetime import datetime

from sqlalchemy import Column, Connection, String, Table, delete, func, insert, select, update

from app.db.metadata import metadata
from app.db.types import UtcDateTime

worker_heartbeats = Table(
    "worker_heartbeats",
    metadata,
    Column("worker", String(100), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)


def beat(connection: Connection, worker: str, now: datetime) -> None:
    table = worker_heartbeats
    done = connection.execute(update(table).where(table.c.worker == worker).values(at=now))
    if done.rowcount == 0:
        connection.execute(insert(table).values(worker=worker, at=now))


def last_beat(connection: Connection) -> datetime | None:
    found: datetime | None = connection.execute(
        select(func.max(worker_heartbeats.c.at, type_=UtcDateTime()))
    ).scalar_one()
    return found


def forget(connection: Connection, before: datetime) -> None:
    connection.execute(delete(worker_heartbeats).where(worker_heartbeats.c.at < before))
