"""The impact of a policy change on the traffic of the last 30 days, by the rule of a send."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.destinations.policy.diff import PolicyDiff
from app.destinations.policy.evaluate import Source
from app.destinations.tables import refusal_counts

IMPACT_DAYS = 30
_BLOCKED = "DestinationBlocked"


@dataclass(frozen=True, slots=True)
class SentTraffic:
    """Sent messages to one country, or to some numbers in it, of which ``number`` is one."""

    country: str
    messages: int
    segments: int
    number: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    workspace_ids: Collection[UUID]
    since: datetime
    countries: Collection[str]
    ranges: Sequence[tuple[str, str]] = ()


class TrafficSource(Protocol):
    def by_country(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        """Sum up messages by country."""

    def by_range(self, connection: Connection, wanted: Wanted) -> list[SentTraffic]:
        """Sum up by range of numbers and country, each with the range's first number."""


def impact(
    connection: Connection, source: TrafficSource, workspace_ids: Collection[UUID], diff: PolicyDiff
) -> dict[str, Any]:
    """Return the blocked and released traffic, in the API's form."""
    since = diff.now - timedelta(days=IMPACT_DAYS)
    wanted = Wanted(workspace_ids, since, diff.countries, diff.number_ranges())
    return {
        "days": IMPACT_DAYS,
        "would_block": newly_blocked(
            diff, source.by_country(connection, wanted), source.by_range(connection, wanted)
        ),
        "would_release": [
            {"country": country, "refusals": refusals}
            for country, refusals in _refused(connection, wanted)
            if diff.releases(country)
        ],
    }


def newly_blocked(
    diff: PolicyDiff, by_country: list[SentTraffic], in_ranges: list[SentTraffic]
) -> list[dict[str, Any]]:
    """Sum up the newly blocked messages; what the ranges leave of a country matches no rule."""
    messages: Counter[str] = Counter()
    segments: Counter[str] = Counter()
    rest = {one.country: diff.blocks(one.country) for one in by_country}
    for one in by_country:
        if rest[one.country]:
            messages[one.country] += one.messages
            segments[one.country] += one.segments
    for one in in_ranges:
        share = diff.blocks(one.country, one.number) - rest.get(one.country, False)
        messages[one.country] += share * one.messages
        segments[one.country] += share * one.segments
    return [
        {"country": code, "messages": messages[code], "segments": segments[code]}
        for code in sorted(messages)
        if messages[code]
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
