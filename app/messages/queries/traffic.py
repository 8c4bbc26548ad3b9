"""Sums of sent messages, for the impact of policy changes."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    func,
    literal,
    select,
    union_all,
)

from app.destinations.impact import SentTraffic, Wanted
from app.kernel.ids import first_id_at
from app.kernel.number_prefixes import next_prefix
from app.messages.submission import MAY_HAVE_REACHED_PROVIDER
from app.messages.tables import HAS_NUMBER, messages

# SQLite joins at most 500 parts in one statement.
_RANGES_AT_ONCE = 100


class MessageTraffic:
    """Implements `app.destinations.impact.TrafficSource`."""

    def by_country(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        """Uses a covering index."""
        if not wanted.countries:
            return []
        columns = messages.c
        query = (
            _sums(wanted, columns.country)
            .where(columns.country.in_(wanted.countries))
            .group_by(columns.country)
        )
        return [
            SentTraffic(country, count, segments)
            for country, count, segments in connection.execute(query)
        ]

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
        columns.submission.in_([state.value for state in MAY_HAVE_REACHED_PROVIDER]),
    )
