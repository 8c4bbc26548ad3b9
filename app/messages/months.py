"""SQL of the partitions of messages and events, on PostgreSQL only.

Ranges are contiguous: the oldest has no beginning and the newest no end, so every id has a
partition. Each is named by its first month.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Connection,
    String,
    Table,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
)

from app.messages.month import Month

_ONE_AT_A_TIME = 7078
_LOCK_MILLISECONDS = 500
_COUNTED_UP_TO = 1_000_000
_BOUNDS = re.compile(
    r"FROM \((?:MINVALUE|'(?P<first>[^']+)')\) TO \((?:MAXVALUE|'(?P<end>[^']+)')\)"
)
_PARTITIONS = text(
    "SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds, "
    "CAST(c.reltuples AS bigint) AS estimate "
    "FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid "
    "WHERE inhparent = CAST(:parent AS regclass)"
).columns(name=String, bounds=String, estimate=BigInteger)


@dataclass(frozen=True, slots=True)
class Partition:
    """A range of ids, ``end`` excluded; None if unbounded. ``estimate`` may be negative."""

    name: str
    first: UUID | None
    end: UUID | None
    estimate: int


def take_turn(connection: Connection) -> None:
    """Lock the partitions until the commit.

    Waits for other locks are short, because callbacks wait behind this transaction.
    """
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})")


def load_partitions(connection: Connection, parent: Table) -> list[Partition]:
    """Load the partitions of a table, the oldest first."""
    rows = connection.execute(_PARTITIONS, {"parent": parent.name})
    found = [
        Partition(row.name, _bound(bounds["first"]), _bound(bounds["end"]), row.estimate)
        for row in rows
        if (bounds := _BOUNDS.search(row.bounds)) is not None
    ]
    return sorted(found, key=lambda one: one.first.int if one.first else 0)


def has_rows(connection: Connection, partition: Partition, *conditions: Any) -> bool:
    """Say whether a partition holds any row, or any for which the conditions hold."""
    query: Any = select(column("id")).select_from(table(partition.name)).where(*conditions).limit(1)
    return connection.execute(query).first() is not None


def count_rows(connection: Connection, partition: Partition) -> int:
    """Count the rows of a partition; above a million it is the server's estimate."""
    if partition.estimate > _COUNTED_UP_TO:
        return partition.estimate
    counted = select(func.count()).select_from(table(partition.name))
    return int(connection.execute(counted).scalar_one())


def begin_month(connection: Connection, parent: Table, newest: Partition, month: Month) -> str:
    """End the newest partition at a month; return the name of the following one.

    An empty partition is recreated, which takes no long lock. One with rows is detached and
    attached again with its end, which reads it once.
    """
    bound, name = month.first_id, f"{parent.name}_{month}"
    _wait_for_statements(connection, parent)
    is_kept = has_rows(connection, newest)
    if is_kept:
        connection.exec_driver_sql(f"ALTER TABLE {parent.name} DETACH PARTITION {newest.name}")
    else:
        connection.exec_driver_sql(f"DROP TABLE {newest.name}")
        _create(connection, parent, newest.name, _range(newest.first, bound))
    _create(connection, parent, name, _range(bound, None))
    if is_kept:
        _move(connection, parent, newest, bound)
        connection.exec_driver_sql(
            f"ALTER TABLE {parent.name} ATTACH PARTITION {newest.name} "
            + _range(newest.first, bound)
        )
    return name


def drop_oldest(connection: Connection, parent: Table, gone: list[Partition]) -> None:
    """Drop the oldest partitions; an empty one without beginning takes their place."""
    _wait_for_statements(connection, parent)
    for partition in gone:
        connection.exec_driver_sql(f"DROP TABLE {partition.name}")
    _create(connection, parent, f"{parent.name}_before", _range(None, gone[-1].end))


def _wait_for_statements(connection: Connection, parent: Table) -> None:
    # Before anything is looked at: no row may come in between.
    connection.exec_driver_sql(f"LOCK TABLE ONLY {parent.name} IN ACCESS EXCLUSIVE MODE")


def _create(connection: Connection, parent: Table, name: str, bounds: str) -> None:
    connection.exec_driver_sql(f"CREATE TABLE {name} PARTITION OF {parent.name} {bounds}")


def _bound(written: str | None) -> UUID | None:
    return None if written is None else UUID(written)


def _range(first: UUID | None, end: UUID | None) -> str:
    lower = "MINVALUE" if first is None else f"'{first}'"
    upper = "MAXVALUE" if end is None else f"'{end}'"
    return f"FOR VALUES FROM ({lower}) TO ({upper})"


def _move(connection: Connection, parent: Table, detached: Partition, bound: UUID) -> None:
    """Move rows behind the end, created by fast clocks, to their partition."""
    names = [one.name for one in parent.columns]
    old = table(detached.name, *(column(name) for name in names))
    moved = delete(old).where(old.c.id >= bound).returning(*old.c).cte("moved")
    connection.execute(insert(parent).from_select(names, select(*moved.c)))
