"""Sums of what was sent, for the question what a change of policy would have done to it."""

from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from app.destinations.traffic import SentTraffic, Wanted
from app.kernel.ids import first_id_at
from app.messages.submission import MAY_HAVE_REACHED_PROVIDER
from app.messages.tables import messages


class MessageTraffic:
    """The port `app.destinations.traffic.TrafficSource` over the table of messages."""

    def by_country(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        """Sum up messages by country; read from one index."""
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
        """Sum up messages by number: those of the countries, and those with a prefix."""
        columns = messages.c
        places = [columns.country.in_(wanted.countries)] if wanted.countries else []
        places += [columns.to_number.between(prefix, prefix + "~") for prefix in wanted.prefixes]
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


def _sums(wanted: Wanted, *keys: Any) -> Select[*tuple[Any, ...]]:
    columns = messages.c
    return select(*keys, func.count(), func.sum(columns.counted_segments)).where(
        columns.workspace_id.in_(wanted.workspace_ids),
        columns.id >= first_id_at(wanted.since),
        columns.submission.in_([state.value for state in MAY_HAVE_REACHED_PROVIDER]),
    )
