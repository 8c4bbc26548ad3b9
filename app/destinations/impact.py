"""The impact of a policy change on the traffic of the last 30 days, by the rule of a send."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.destinations.policy.diff import NewlyBlocked, PolicyDiff
from app.destinations.policy.evaluate import Source
from app.destinations.tables import refusal_counts

IMPACT_DAYS = 30
_BLOCKED = "DestinationBlocked"


@dataclass(frozen=True, slots=True)
class SentTraffic:
    """Sent messages to one country, or to one number in it."""

    country: str
    messages: int
    segments: int
    number: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The messages to sum up."""

    workspace_ids: Collection[UUID]
    since: datetime
    countries: Collection[str]
    prefixes: Collection[str] = ()


class TrafficSource(Protocol):
    def by_country(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        """Sum up messages by country."""

    def by_number(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        """Sum up by number the messages to these countries or with a prefix."""


def impact(
    connection: Connection, source: TrafficSource, workspace_ids: Collection[UUID], diff: PolicyDiff
) -> dict[str, Any]:
    """Return the blocked and released traffic, in the API's form."""
    since = diff.now - timedelta(days=IMPACT_DAYS)
    wanted = Wanted(workspace_ids, since, diff.countries, diff.prefixes)
    if diff.finer_rules:
        sent = source.by_number(connection, wanted)
    else:
        sent = source.by_country(connection, wanted)
    is_cut_off = NewlyBlocked(diff)
    return {
        "days": IMPACT_DAYS,
        "would_block": _blocked([one for one in sent if is_cut_off(one.country, one.number)]),
        "would_release": [
            {"country": country, "refusals": refusals}
            for country, refusals in _refused(connection, wanted)
            if diff.releases(country)
        ],
    }


def _blocked(sent: list[SentTraffic]) -> list[dict[str, Any]]:
    messages: Counter[str] = Counter()
    segments: Counter[str] = Counter()
    for one in sent:
        messages[one.country] += one.messages
        segments[one.country] += one.segments
    return [
        {"country": code, "messages": messages[code], "segments": segments[code]}
        for code in sorted(messages)
    ]


def _refused(connection: Connection, wanted: Wanted) -> list[tuple[str, int]]:
    columns = refusal_counts.c
    query = (
        select(columns.country, func.sum(columns.refusals))
        .where(
            columns.workspace_id.in_(wanted.workspace_ids),
            columns.day >= wanted.since.date(),
            columns.country.in_(wanted.countries),
            columns.code == _BLOCKED,
            columns.source == Source.POLICY,
        )
        .group_by(columns.country)
        .order_by(columns.country)
    )
    return [(country, int(refusals)) for country, refusals in connection.execute(query)]
