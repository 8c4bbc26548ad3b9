"""Creating partitions for the coming months, on PostgreSQL only.

`borderpost db upgrade` and every worker run it. If a month cannot be created without blocking
sends, the next hour tries again; until then its rows go to the newest partition.
"""

from dataclasses import dataclass

from sqlalchemy import Table

from app.db.clock import require_same_time
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable
from app.messages.month import Month, month_of
from app.messages.months import begin_month, load_partitions, take_turn
from app.messages.tables import message_events, messages

MONTHS_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Made:
    """The partitions that were begun, and the tables that could not be changed just now."""

    partitions: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MakeMonths:
    """Gives this month and the next three partitions of their own."""

    database: Database
    clock: Clock

    def __call__(self) -> Made:
        """Begin every month that is missing, each in a short transaction.

        Raises:
            ClocksDiffer: the clocks of this host and of the database differ too much.
        """
        require_same_time(self.database)
        partitions: list[str] = []
        busy: list[str] = []
        if not self.database.is_sqlite:
            this_month = month_of(self.clock.now())
            beginnings = [this_month.later(months) for months in range(1, MONTHS_AHEAD + 2)]
            for table in (messages, message_events):
                try:
                    partitions += filter(None, [self._begin(table, one) for one in beginnings])
                except ServiceUnavailable:
                    busy.append(table.name)
        return Made(tuple(partitions), tuple(busy))

    def _begin(self, table: Table, month: Month) -> str | None:
        with self.database.writing() as connection:
            take_turn(connection)
            newest = load_partitions(connection, table)[-1]
            if newest.first is not None and newest.first >= month.first_id:
                return None
            return begin_month(connection, table, newest, month)
