"""Monthly partitions, on PostgreSQL only.

`borderpost db upgrade` and every worker create them. If that would block sends, the next hour tries
again; until then rows go to the newest partition.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
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

from app.db.clock import require_same_time
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable
from app.kernel.ids import first_id_at
from app.messages.tables import message_events, messages

_MONTHS = 12


def month_of(at: datetime, later: int = 0) -> datetime:
    """Return the beginning of a month (UTC), or of one that many months ``later``."""
    there = at.astimezone(UTC)
    count = there.year * _MONTHS + there.month - 1 + later
    return datetime(count // _MONTHS, count % _MONTHS + 1, 1, tzinfo=UTC)


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
    """A range of ids, ``end`` excluded; None is unbounded. ``estimate`` may be negative."""

    name: str
    first: UUID | None
    end: UUID | None
    estimate: int


def lock_partitions(connection: Connection) -> None:
    """Waits for other locks are short, because callbacks wait behind this transaction."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})")


def load_partitions(connection: Connection, parent: Table) -> list[Partition]:
    """Load the partitions of a table, oldest first."""
    found = [
        Partition(row.name, _bound(bounds["first"]), _bound(bounds["end"]), row.estimate)
        for row in connection.execute(_PARTITIONS, {"parent": parent.name})
        if (bounds := _BOUNDS.search(row.bounds)) is not None
    ]
    return sorted(found, key=lambda one: one.first.int if one.first else 0)


def has_rows(connection: Connection, partition: Partition, *conditions: Any) -> bool:
    query: Any = select(column("id")).select_from(table(partition.name)).where(*conditions).limit(1)
    return connection.execute(query).first() is not None


def count_partition_rows(connection: Connection, partition: Partition) -> int:
    """Above a million it is the server's estimate."""
    if partition.estimate > _COUNTED_UP_TO:
        return partition.estimate
    counted = select(func.count()).select_from(table(partition.name))
    return int(connection.execute(counted).scalar_one())


def create_partition(
    connection: Connection, parent: Table, newest: Partition, month: datetime
) -> str:
    """End the newest partition at a month; return the name of the following one.

    An empty partition is recreated. One with rows is detached and attached again, which reads
    it once.
    """
    bound, name = first_id_at(month), f"{parent.name}_{month:%Y_%m}"
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
    """An empty partition without a beginning replaces them."""
    _wait_for_statements(connection, parent)
    for partition in gone:
        connection.exec_driver_sql(f"DROP TABLE {partition.name}")
    _create(connection, parent, f"{parent.name}_before", _range(None, gone[-1].end))


def _wait_for_statements(connection: Connection, parent: Table) -> None:
    # Before any check, so that no row is inserted in between.
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
    """Move rows of fast clocks after the end to their partition."""
    names = [one.name for one in parent.columns if one.computed is None]
    old = table(detached.name, *(column(name) for name in names))
    moved = delete(old).where(old.c.id >= bound).returning(*old.c).cte("moved")
    connection.execute(insert(parent).from_select(names, select(*moved.c)))


MONTHS_AHEAD = 3


@dataclass(frozen=True, slots=True)
class CreatedPartitions:
    partitions: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreatePartitions:
    """Creates the partitions of this month and the next three."""

    database: Database
    clock: Clock

    def __call__(self) -> CreatedPartitions:
        """Create every missing month in a short transaction; raises `ClocksDiffer`."""
        require_same_time(self.database)
        partitions: list[str] = []
        busy: list[str] = []
        if not self.database.is_sqlite:
            now = self.clock.now()
            beginnings = [month_of(now, later) for later in range(1, MONTHS_AHEAD + 2)]
            for table in (messages, message_events):
                try:
                    partitions += filter(None, [self._begin(table, one) for one in beginnings])
                except ServiceUnavailable:
                    busy.append(table.name)
        return CreatedPartitions(tuple(partitions), tuple(busy))

    def _begin(self, table: Table, month: datetime) -> str | None:
        with self.database.writing() as connection:
            lock_partitions(connection)
            newest = load_partitions(connection, table)[-1]
            if newest.first is not None and newest.first >= first_id_at(month):
                return None
            return create_partition(connection, table, newest, month)
