"""SQL of the statistics: changed hours, counts of an hour, and the lease.

An hour is a range of ids. Every change of a message writes an event, so the changed hours are read
from the new events.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
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

from app.db.inserts import insert_on_conflict
from app.kernel.ids import NO_ID, first_id_at
from app.messages.queries.read import visible
from app.messages.tables import message_counting, message_counts, message_events, messages
from app.prices.price_table import MILLION
from app.providers.port import Status

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
    is_free = or_(leased_until.is_(None), leased_until <= now, leased_until > now + COUNT_LEASE)
    columns = message_counting.c
    row = connection.execute(
        update(message_counting)
        .where(is_free)
        .values(leased_until=now + COUNT_LEASE)
        .returning(columns.counted_until)
    ).one_or_none()
    return None if row is None else CountLease(row.counted_until, now + COUNT_LEASE)


def renew_count_lease(connection: Connection, turn: CountLease, now: datetime) -> CountLease | None:
    """Renew the lease; None if another worker has taken over."""
    renewed = CountLease(turn.counted_until, max(now + COUNT_LEASE, turn.leased_until))
    return renewed if _move(connection, turn, leased_until=renewed.leased_until) else None


def release_count_lease(connection: Connection, turn: CountLease, counted_until: datetime) -> None:
    """Store the progress, unless another worker has taken over."""
    _move(connection, turn, leased_until=None, counted_until=counted_until)


def _move(connection: Connection, turn: CountLease, **values: Any) -> bool:
    ours = message_counting.c.leased_until == turn.leased_until
    return connection.execute(update(message_counting).where(ours).values(**values)).rowcount == 1


def hours_touched(connection: Connection, since: datetime, until: datetime) -> set[datetime]:
    columns = message_events.c
    piece = func.substr(cast(columns.message_id, String), 1, _PIECE_DIGITS)
    is_new = columns.id >= first_id_at(since), columns.id < first_id_at(until)
    query = select(piece).distinct().where(*is_new)
    latest = int(until.timestamp() * 1000) >> _PIECE_BITS
    pieces = (int(text, 16) for text in connection.execute(query).scalars())
    return {
        _hour_at(milliseconds)
        for piece in pieces
        if piece <= latest
        for milliseconds in (piece << _PIECE_BITS, ((piece + 1) << _PIECE_BITS) - 1)
    }


def _hour_at(milliseconds: int) -> datetime:
    return hour_of(_EPOCH + timedelta(milliseconds=milliseconds))


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
    query = select(*_COUNTED).where(*_is(hour))
    return {HourlyCount(*row) for row in connection.execute(query)}


def replace_hour(connection: Connection, hour: datetime, counts: set[HourlyCount]) -> None:
    connection.execute(delete(message_counts).where(*_is(hour)))
    rows = [
        {name: getattr(count, name) for name in HourlyCount.__slots__}
        | {"day": hour.date(), "hour": hour.hour}
        for count in counts
    ]
    if rows:
        connection.execute(insert(message_counts), rows)


def forget_counts(connection: Connection, before: date) -> None:
    connection.execute(delete(message_counts).where(message_counts.c.day < before))


def _is(hour: datetime) -> tuple[Any, ...]:
    return message_counts.c.day == hour.date(), message_counts.c.hour == hour.hour
