"""Counts messages by hour and country in the background.

Changed hours are recounted as a whole: the ids of new events name them. The most recent time is
checked again each round, because a host with a slow clock may commit late. As ids may be wrong
after a clock was ahead, each round also recounts one of the last hours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    String,
    case,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from app.db.clock import is_same_time
from app.db.engine import Database
from app.db.rows import insert_on_conflict
from app.kernel.clock import Clock
from app.kernel.ids import NO_ID, first_id_at
from app.messages.queries.read import visible
from app.messages.tables import message_counting, message_counts, message_events, messages
from app.prices.price_table import MILLION
from app.providers.port import Status

COUNTED = timedelta(days=31)
COUNTS_KEPT = timedelta(days=100)
_OVERLAP = timedelta(minutes=10)
_AT_ONCE = timedelta(hours=6)
# As long as the provider is asked about a message; it is all reviewed within 15 minutes.
_REVIEWED_HOURS = 96
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNT_LEASE = timedelta(seconds=60)
_ONLY = 1
# The first characters of an id are the time in units of 65,536 milliseconds.
_PIECE_DIGITS = 8
_PIECE_BITS = 16


@dataclass(frozen=True, slots=True)
class CountLease:
    counted_until: datetime
    leased_until: datetime


@dataclass(frozen=True, slots=True)
class HourlyCount:
    workspace_id: UUID
    country: str
    use_case_id: UUID
    access_key_id: UUID
    currency: str
    sends: int
    delivered: int
    undelivered: int
    failed: int
    segments: int
    converted: int
    cost: int


# The provider's charge, else the estimate, in millionths of the currency.
_CHARGED = cast(func.round(func.abs(cast(messages.c.price, Double)) * MILLION), BigInteger)
_COST = func.coalesce(_CHARGED, messages.c.estimated_price, 0)
_UNIT = case((messages.c.price.is_not(None), messages.c.price_unit))
_CURRENCY = func.coalesce(_UNIT, messages.c.estimate_currency, "")
_COUNTED = tuple(message_counts.c[name] for name in HourlyCount.__slots__)


def start_counting(connection: Connection, earliest: datetime, now: datetime) -> None:
    """Start with the oldest message, unless it has started."""
    if connection.execute(select(message_counting.c.id)).one_or_none() is not None:
        return
    oldest = select(messages.c.created_at).order_by(messages.c.id).limit(1)
    began = connection.execute(oldest).scalar_one_or_none() or now
    first = insert_on_conflict(connection, message_counting).values(
        id=_ONLY, counted_until=max(began, earliest)
    )
    connection.execute(first.on_conflict_do_nothing())


def acquire_count_lease(connection: Connection, now: datetime) -> CountLease | None:
    """Return None while another worker has it.

    A lease that ends later than a new one comes from a fast clock, and is ignored.
    """
    leased_until = message_counting.c.leased_until
    row = connection.execute(
        update(message_counting)
        .where(or_(leased_until.is_(None), leased_until <= now, leased_until > now + COUNT_LEASE))
        .values(leased_until=now + COUNT_LEASE)
        .returning(message_counting.c.counted_until)
    ).one_or_none()
    return None if row is None else CountLease(row.counted_until, now + COUNT_LEASE)


def update_count_lease(connection: Connection, lease: CountLease, **values: Any) -> bool:
    """Return False if another worker has taken over."""
    ours = message_counting.c.leased_until == lease.leased_until
    return connection.execute(update(message_counting).where(ours).values(**values)).rowcount == 1


def hours_touched(connection: Connection, since: datetime, until: datetime) -> set[datetime]:
    columns = message_events.c
    piece = func.substr(cast(columns.message_id, String), 1, _PIECE_DIGITS)
    is_new = columns.id >= first_id_at(since), columns.id < first_id_at(until)
    query = select(piece).distinct().where(*is_new)
    latest = int(until.timestamp() * 1000) >> _PIECE_BITS
    pieces = (int(text, 16) for text in connection.execute(query).scalars())
    return {
        hour_of(_EPOCH + timedelta(milliseconds=milliseconds))
        for piece in pieces
        if piece <= latest
        for milliseconds in (piece << _PIECE_BITS, ((piece + 1) << _PIECE_BITS) - 1)
    }


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def count_hour(connection: Connection, hour: datetime, now: datetime) -> set[HourlyCount]:
    columns = messages.c
    country = func.coalesce(columns.country, "")
    sums = [
        func.count().filter(columns.status == status)
        for status in (Status.DELIVERED, Status.UNDELIVERED, Status.FAILED)
    ]
    segments = func.sum(func.coalesce(columns.num_segments, columns.counted_segments))
    keys = (
        columns.workspace_id,
        country,
        columns.use_case_id,
        func.coalesce(columns.access_key_id, NO_ID),
        _CURRENCY,
    )
    converted = func.count().filter(columns.converted)
    query = (
        select(*keys, func.count(), *sums, segments, converted, func.sum(_COST))
        .where(columns.id >= first_id_at(hour), columns.id < first_id_at(hour + HOUR), visible(now))
        .group_by(*keys)
    )
    return {HourlyCount(*row[:5], *map(int, row[5:])) for row in connection.execute(query)}


def load_hour(connection: Connection, hour: datetime) -> set[HourlyCount]:
    return {HourlyCount(*row) for row in connection.execute(select(*_COUNTED).where(*_is(hour)))}


def replace_hour(connection: Connection, hour: datetime, counts: set[HourlyCount]) -> None:
    connection.execute(delete(message_counts).where(*_is(hour)))
    rows = [
        {name: getattr(count, name) for name in HourlyCount.__slots__}
        | {"day": hour.date(), "hour": hour.hour}
        for count in counts
    ]
    if rows:
        connection.execute(insert(message_counts), rows)


def _is(hour: datetime) -> tuple[Any, ...]:
    return message_counts.c.day == hour.date(), message_counts.c.hour == hour.hour


@dataclass(frozen=True, slots=True)
class AggregateMessages:
    database: Database
    clock: Clock
    rounds: Iterator[int] = field(default_factory=count)

    def run_once(self) -> int:
        """Count the changes of a few hours; return 1 if there is more to do."""
        with self.database.writing() as connection:
            now = self.clock.now()
            start_counting(connection, now - COUNTED, now)
            lease = acquire_count_lease(connection, now)
        if lease is None:
            return 0
        until = min(now, lease.counted_until + _AT_ONCE)
        hours = self._hours(min(lease.counted_until, now) - _OVERLAP, until, now)
        if until == now:
            hours.add(hour_of(now) - HOUR * (next(self.rounds) % _REVIEWED_HOURS))
        counted = self._count(lease, sorted(hours), now)
        if counted is None:
            return 0
        with self.database.writing() as connection:
            if is_same_time():
                old = message_counts.c.day < (now - COUNTS_KEPT).date()
                connection.execute(delete(message_counts).where(old))
            update_count_lease(connection, counted, leased_until=None, counted_until=until)
        return 1 if until < now else 0

    def _hours(self, since: datetime, until: datetime, now: datetime) -> set[datetime]:
        with self.database.reading() as connection:
            found = hours_touched(connection, since, until)
        hour = hour_of(since)
        while hour < until:
            found.add(hour)
            hour += HOUR
        return {hour for hour in found if hour >= now - COUNTED}

    def _count(
        self, lease: CountLease, hours: Iterable[datetime], now: datetime
    ) -> CountLease | None:
        """Recount hours; None if another worker has taken over."""
        for hour in hours:
            with self.database.reading() as connection:
                counts = count_hour(connection, hour, now)
                is_changed = counts != load_hour(connection, hour)
            if not is_changed:
                continue
            with self.database.writing() as connection:
                until = max(self.clock.now() + COUNT_LEASE, lease.leased_until)
                if not update_count_lease(connection, lease, leased_until=until):
                    return None
                lease = replace(lease, leased_until=until)
                replace_hour(connection, hour, counts)
        return lease
