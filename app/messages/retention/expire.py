"""Deletes messages and events after their retention time.

PostgreSQL drops expired partitions; SQLite, and a partition with newer rows, deletes in small
batches. A message that is still reconciled stays longer, on PostgreSQL with its partition.
"""

from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from uuid import UUID

from sqlalchemy import Connection, Table, column, delete, func, or_, select

from app.access.tables import workspaces
from app.db.clock import require_same_time
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable
from app.kernel.ids import NO_ID, first_id_at
from app.messages.retention.partitions import (
    Partition,
    count_partition_rows,
    drop_oldest,
    has_rows,
    load_partitions,
    lock_partitions,
    month_of,
)
from app.messages.tables import message_events, messages

EXPIRE_BATCH = 500
# An expired message waits at most this long for reconciliation.
ASKED_ABOUT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Expired:
    messages: int = 0
    partitions: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Bounds:
    """All messages below ``anyway``; below ``before`` those not asked about."""

    before: UUID
    anyway: UUID


@dataclass(frozen=True, slots=True)
class ExpireMessages:
    """Deletes no message while any workspace keeps its numbers."""

    database: Database
    clock: Clock
    retention_days: int

    def __call__(self) -> Expired:
        """Raises `ClocksDiffer`."""
        require_same_time(self.database)
        longest = select(func.max(workspaces.c.number_retention_days))
        with self.database.reading() as connection:
            kept_days = connection.execute(longest).scalar_one() or 0
        since = self.clock.now() - timedelta(days=max(self.retention_days, kept_days))
        long_since = since - ASKED_ABOUT
        if self.database.is_sqlite:
            return Expired(self._delete(_Bounds(first_id_at(since), first_id_at(long_since))))
        bounds = _Bounds(first_id_at(month_of(since)), first_id_at(month_of(long_since)))
        return self._by_month(bounds)

    def _by_month(self, bounds: _Bounds) -> Expired:
        rows = 0
        dropped: list[str] = []
        for table in (messages, message_events):
            try:
                gone, counted = self._drop(table, bounds)
            except ServiceUnavailable:
                return Expired(rows, tuple(dropped), (table.name,))
            rows += counted
            dropped += gone
        return Expired(rows + self._delete_shared(bounds), tuple(dropped))

    def _drop(self, table: Table, bounds: _Bounds) -> tuple[list[str], int]:
        """Drop fully expired partitions; return them and the number of messages."""
        with self.database.writing() as connection:
            lock_partitions(connection)
            goes = _may_go if table is messages else _event_may_go
            found = load_partitions(connection, table)
            gone = list(takewhile(lambda one: goes(connection, one, bounds), found))
            if not any(one.first is not None or has_rows(connection, one) for one in gone):
                return [], 0
            of_messages = gone if table is messages else []
            counted = sum(count_partition_rows(connection, one) for one in of_messages)
            drop_oldest(connection, table, gone)
            return [one.name for one in gone], counted

    def _delete_shared(self, bounds: _Bounds) -> int:
        """Delete expired rows in the one partition with newer rows."""
        with self.database.reading() as connection:
            found = load_partitions(connection, messages)
        for one in found:
            begins_before = one.first is None or one.first < bounds.before
            if begins_before and (one.end is None or bounds.before < one.end):
                return self._delete(bounds, one.first or NO_ID)
        return 0

    def _delete(self, bounds: _Bounds, first: UUID = NO_ID) -> int:
        columns, total = messages.c, 0
        ends = or_(columns.check_at.is_(None), columns.id < bounds.anyway)
        old = select(columns.id).where(columns.id >= first, columns.id < bounds.before, ends)
        batch = old.order_by(columns.id).limit(EXPIRE_BATCH)
        while True:
            with self.database.writing() as connection:
                ids = list(connection.execute(batch).scalars())
                if ids:
                    of_messages = message_events.c.message_id.in_(ids)
                    connection.execute(delete(message_events).where(of_messages))
                    connection.execute(delete(messages).where(columns.id.in_(ids)))
            total += len(ids)
            if len(ids) < EXPIRE_BATCH:
                return total


def _may_go(connection: Connection, partition: Partition, bounds: _Bounds) -> bool:
    if partition.end is None or bounds.before < partition.end:
        return False
    is_asked_about = has_rows(connection, partition, column("check_at").isnot(None))
    return partition.end <= bounds.anyway or not is_asked_about


def _event_may_go(connection: Connection, partition: Partition, bounds: _Bounds) -> bool:
    oldest = load_partitions(connection, messages)[0]
    if partition.end is None or oldest.end is None or has_rows(connection, oldest):
        return False
    return partition.end <= min(oldest.end, bounds.before)
