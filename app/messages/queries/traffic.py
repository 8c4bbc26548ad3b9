"""Sums of sent messages, for the impact of policy changes."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from app.destinations.impact import SentTraffic, Wanted
from app.kernel.ids import first_id_at
from app.messages.submission import MAY_HAVE_REACHED_PROVIDER
from app.messages.tables import messages


class MessageTraffic:
    """Implements `app.destinations.impact.TrafficSource`."""

    def by_country(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        """Sum up messages by country; uses a covering index."""
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

    def by_number(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        """Sum up by number the messages to these countries or with a prefix."""
        columns = messages.c
        places = [starts_with(prefix) for prefix in wanted.prefixes]
        if wanted.countries:
            places.append(columns.country.in_(wanted.countries))
        if not places:
            return []
        query = (
            _sums(wanted, columns.country, columns.to_number)
            .where(or_(*places))
            .group_by(columns.country, columns.to_number)
        )
        return [
            SentTraffic(country, count, segments, number)
            for country, number, count, segments in connection.execute(query)
        ]


def starts_with(prefix: str) -> ColumnElement[bool]:
    """Return the condition that a message's number has a prefix."""
    # Both bounds are numbers, so that the result does not depend on the collation.
    number, above = messages.c.to_number, next_prefix(prefix)
    return number >= prefix if above is None else and_(number >= prefix, number < above)


def next_prefix(prefix: str) -> str | None:
    """Return the smallest prefix after all numbers with this one, if any."""
    kept = prefix.rstrip("9")
    return None if kept == "+" else f"{kept[:-1]}{int(kept[-1]) + 1}"


def _sums(wanted: Wanted, *keys: Any) -> Select[*tuple[Any, ...]]:
    columns = messages.c
    return select(*keys, func.count(), func.sum(columns.counted_segments)).where(
        columns.workspace_id.in_(wanted.workspace_ids),
        columns.id >= first_id_at(wanted.since),
        columns.submission.in_([state.value for state in MAY_HAVE_REACHED_PROVIDER]),
    )
