"""Past messages, for guards and for the impact of policy changes."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Text,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
    union_all,
)

from app.db.engine import Database
from app.db.types import UtcDateTime
from app.destinations.impact import SentTraffic, Wanted
from app.guards.history import EndedMessages, HourTraffic, MinuteTraffic, PastMessage, Period
from app.guards.limits import DIGITS_OF_RANGE, DeliverySign, GuardName
from app.guards.watches import Share
from app.kernel.ids import first_id_at
from app.kernel.number_prefixes import next_prefix
from app.messages.lifecycle import MAY_HAVE_REACHED_PROVIDER
from app.messages.tables import HAS_NUMBER, IS_ERASED, message_events, messages
from app.providers.port import Status

_BATCH = 5000
# On SQLite: the digits of a time up to its hour or minute, and what completes them to a time.
_STARTS = {"hour": (len("2026-01-31T12"), ":00Z"), "minute": (len("2026-01-31T12:34"), "Z")}
_ENDS = [status.value for status in Status if status.is_terminal]
_COUNTS = messages.c.submission.in_([state.value for state in MAY_HAVE_REACHED_PROVIDER])
_LOOKED_AT = (
    messages.c.id,
    messages.c.to_number,
    messages.c.country,
    messages.c.use_case_id,
    messages.c.counted_segments,
    messages.c.created_at,
    messages.c.status,
    messages.c.delivered_at,
    messages.c.errored_at,
    messages.c.converted,
)
# SQLite joins at most 500 parts in one statement.
_RANGES_AT_ONCE = 100


class GuardHistory:
    """Implements `app.guards.history.MessageHistory`."""

    def hours(self, connection: Connection, workspace_id: UUID, day: date) -> Iterable[HourTraffic]:
        columns = messages.c
        hour = _start_of("hour", connection)
        keys = (hour, func.coalesce(columns.country, ""), columns.use_case_id)
        sums = func.count(), func.sum(columns.counted_segments)
        query = select(*keys, *sums).where(*_of_day(workspace_id, day)).group_by(*keys)
        for at, country, use_case_id, count, segments in connection.execute(query):
            yield HourTraffic(at, country, use_case_id, count, int(segments))

    def busiest_minutes(
        self, connection: Connection, workspace_id: UUID, day: date, count: int
    ) -> Iterable[MinuteTraffic]:
        minute, segments = _start_of("minute", connection), func.sum(messages.c.counted_segments)
        minutes = select(minute, segments).where(*_of_day(workspace_id, day)).group_by(minute)
        for at, found in connection.execute(minutes.order_by(segments.desc()).limit(count)):
            yield MinuteTraffic(at, int(found))

    def in_order(
        self, database: Database, workspace_id: UUID, since: datetime
    ) -> Iterator[PastMessage]:
        columns = messages.c
        after = first_id_at(since)
        while True:
            query = _past(workspace_id, after).where(columns.id > after).order_by(columns.id)
            rows = _batch(database, query)
            yield from map(_message, rows)
            if len(rows) < _BATCH:
                return
            after = rows[-1].id

    def busy_values(
        self,
        connection: Connection,
        workspace_id: UUID,
        since: datetime,
        more_than: Mapping[GuardName, int],
    ) -> dict[GuardName, set[str]]:
        number = messages.c.to_number
        its_range = func.substr(number, 1, func.length(number) - DIGITS_OF_RANGE)
        past = _past(workspace_id, first_id_at(since))
        values = {
            GuardName.NUMBER: past.with_only_columns(number).group_by(number),
            # The range of a pseudonym is unknown.
            GuardName.PREFIX: past.with_only_columns(its_range)
            .where(HAS_NUMBER)
            .group_by(its_range),
        }
        return {
            name: set(connection.execute(values[name].having(func.count() > most)).scalars())
            for name, most in more_than.items()
        }

    def by_number(
        self, database: Database, workspace_id: UUID, since: datetime
    ) -> Iterator[PastMessage]:
        key = tuple_(messages.c.to_number, messages.c.id)
        past = _past(workspace_id, first_id_at(since)).order_by(messages.c.to_number, messages.c.id)
        # The index by number holds no pseudonyms; those of the period are few, and are sorted.
        for which in (HAS_NUMBER, IS_ERASED):
            query = in_order = past.where(which)
            while rows := _batch(database, query):
                yield from map(_message, rows)
                if len(rows) < _BATCH:
                    break
                query = in_order.where(key > tuple_(rows[-1].to_number, rows[-1].id))

    def ended(
        self, connection: Connection, since: datetime, judged_until: datetime
    ) -> Iterable[EndedMessages]:
        columns, events = messages.c, message_events.c
        keys = (columns.workspace_id, columns.to_number, func.coalesce(columns.country, ""))
        query = (
            select(
                *keys,
                func.count(),
                func.count().filter(events.status == Status.DELIVERED.value),
                func.count().filter(
                    or_(columns.converted.is_not(None), events.id < first_id_at(judged_until))
                ),
                func.count().filter(columns.converted),
            )
            .join_from(message_events, messages, columns.id == events.message_id)
            .where(events.id >= first_id_at(since), events.applied, events.status.in_(_ENDS))
            .group_by(*keys)
        )
        for row in connection.execute(query):
            yield EndedMessages(*row)

    def ended_between(
        self,
        connection: Connection,
        workspace_id: UUID,
        value: str,
        period: Period,
        counts: DeliverySign,
    ) -> Share:
        columns = messages.c
        since, until = period
        delivered = columns.delivered_at < until
        sign = columns.converted if counts is DeliverySign.CONVERTED else delivered
        query = select(func.count(), func.count().filter(sign)).where(
            columns.workspace_id == workspace_id,
            columns.id >= first_id_at(since),
            columns.id < first_id_at(until),
            or_(delivered, columns.errored_at < until),
            _is_of(value),
        )
        return Share(*connection.execute(query).one())


def _start_of(unit: Literal["hour", "minute"], connection: Connection) -> ColumnElement[datetime]:
    created_at = messages.c.created_at
    if connection.dialect.name == "postgresql":
        return func.date_trunc(unit, created_at, "UTC", type_=UtcDateTime())
    digits, rest = _STARTS[unit]
    return type_coerce(func.substr(created_at, 1, digits, type_=Text()) + rest, UtcDateTime())


def _of_day(workspace_id: UUID, day: date) -> tuple[ColumnElement[bool], ...]:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return (
        messages.c.workspace_id == workspace_id,
        messages.c.id >= first_id_at(begin),
        messages.c.id < first_id_at(begin + timedelta(days=1)),
        _COUNTS,
    )


def _is_of(value: str) -> ColumnElement[bool]:
    columns = messages.c
    if value.isalpha():
        return columns.country == value
    return and_(starts_with(value), func.length(columns.to_number) == len(value) + DIGITS_OF_RANGE)


def _past(workspace_id: UUID, first_id: UUID) -> Select[*tuple[Any, ...]]:
    return select(*_LOOKED_AT).where(
        messages.c.workspace_id == workspace_id, messages.c.id >= first_id, _COUNTS
    )


def _batch(database: Database, query: Select[*tuple[Any, ...]]) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(query.limit(_BATCH)))


def _message(row: Any) -> PastMessage:
    _, number, country, use_case_id, segments, at, status, delivered_at, errored_at, converted = row
    is_delivered = status == Status.DELIVERED
    return PastMessage(
        at=at,
        number=number,
        country=country or "",
        use_case_id=use_case_id,
        segments=segments,
        ended_at=delivered_at if is_delivered else errored_at,
        is_delivered=is_delivered,
        is_converted=converted,
    )


class MessageTraffic:
    """Implements `app.destinations.impact.TrafficSource`."""

    def by_country(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        """Uses a covering index."""
        if not wanted.countries:
            return []
        columns = messages.c
        of_countries = columns.country.in_(wanted.countries)
        query = _sums(wanted, columns.country).where(of_countries).group_by(columns.country)
        return [SentTraffic(*row) for row in connection.execute(query)]

    def by_range(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        return [
            SentTraffic(country, count, segments, first)
            for at in range(0, len(wanted.ranges), _RANGES_AT_ONCE)
            for first, country, count, segments in connection.execute(
                _of_ranges(wanted, wanted.ranges[at : at + _RANGES_AT_ONCE])
            )
        ]


def _of_ranges(wanted: Wanted, ranges: Iterable[tuple[str, str]]) -> CompoundSelect[Any]:
    """Sum up each range by its own part of an index: a join would sort and compare all of them."""
    columns = messages.c
    return union_all(
        *(
            _sums(wanted, literal(first), columns.country)
            .where(HAS_NUMBER, columns.to_number >= first, columns.to_number < above)
            .group_by(columns.country)
            for first, above in ranges
        )
    )


def starts_with(prefix: str) -> ColumnElement[bool]:
    # Both bounds are numbers, so that the result does not depend on the collation.
    number, above = messages.c.to_number, next_prefix(prefix)
    below = [] if above is None else [number < above]
    return and_(HAS_NUMBER, number >= prefix, *below)


def _sums(wanted: Wanted, *keys: Any) -> Select[*tuple[Any, ...]]:
    columns = messages.c
    return select(*keys, func.count(), func.sum(columns.counted_segments)).where(
        columns.workspace_id.in_(wanted.workspace_ids),
        columns.id >= first_id_at(wanted.since),
        _COUNTS,
    )
