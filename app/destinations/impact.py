"""The impact of a policy change on the traffic of the last 30 days, by the rule of a send."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection, select

from app.destinations.policy.evaluate import Policy, Rule, RuleKind, Source, decide
from app.destinations.tables import refusal_counts
from app.kernel.number_prefixes import next_prefix
from app.kernel.phone import Destination, NumberKind
from app.use_cases.tables import use_cases

# An E.164 number has 15 digits at most.
_AFTER_ALL_NUMBERS = "+" + "9" * 16
IMPACT_DAYS = 30


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    before: Policy
    after: Policy
    now: datetime

    def blocks(self, country: str, number: str = "") -> bool:
        """Whether a number, or a country as a whole, would be newly blocked."""
        was_allowed, is_allowed = self._allowed(country, number)
        return was_allowed and not is_allowed

    def releases(self, country: str) -> bool:
        """Whether a country as a whole would be newly allowed."""
        was_allowed, is_allowed = self._allowed(country, "")
        return is_allowed and not was_allowed

    def _allowed(self, country: str, number: str) -> tuple[bool, bool]:
        to = Destination(number, True, country, NumberKind.MOBILE, True)
        before, after = (decide(one, to, self.now) for one in (self.before, self.after))
        return before.allowed, after.allowed

    def number_ranges(self) -> list[tuple[str, str]]:
        """Return disjoint ranges of numbers, each from a first number to one above the last.

        The numbers in a range match the same rules for prefixes and numbers. The ranges cover
        what differs: the numbers of each changed rule, or of all rules if countries changed.
        """
        before, after = _finer(self.before), _finer(self.after)
        covered = {rule.value for rule in (before | after if self.countries else before ^ after)}
        bounds = sorted({bound for rule in before | after for bound in _bounds(rule)})
        return [
            (first, above)
            for first, above in pairwise(bounds)
            if any(first[:length] in covered for length in range(len(first) + 1))
        ]

    @property
    def countries(self) -> frozenset[str]:
        one, other = self.before.destinations, self.after.destinations
        mapped = {code for code in one.keys() | other.keys() if one.get(code) != other.get(code)}
        differing = set(self.before.rules) ^ set(self.after.rules)
        return frozenset(mapped | {r.value for r in differing if r.kind is RuleKind.COUNTRY})


def _finer(policy: Policy) -> frozenset[Rule]:
    return frozenset(rule for rule in policy.rules if rule.kind is not RuleKind.COUNTRY)


def _bounds(rule: Rule) -> Iterator[str]:
    """Yield the texts at which another set of rules may begin to match."""
    yield rule.value
    if rule.kind is RuleKind.NUMBER:
        yield rule.value + "0"
    yield next_prefix(rule.value) or _AFTER_ALL_NUMBERS


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
    """Count the refused sends whose use case may reach their country."""
    columns, restriction = refusal_counts.c, use_cases.c.allowed_destinations
    query = (
        select(columns.country, restriction, columns.refusals)
        .outerjoin(use_cases, use_cases.c.id == columns.use_case_id)
        .where(
            columns.workspace_id.in_(wanted.workspace_ids),
            columns.day >= wanted.since.date(),
            columns.country.in_(wanted.countries),
            columns.code == "DestinationBlocked",
            columns.source == Source.POLICY,
        )
    )
    found: Counter[str] = Counter()
    for country, allowed, refusals in connection.execute(query):
        if allowed is None or country in allowed:
            found[country] += refusals
    return sorted(found.items())
