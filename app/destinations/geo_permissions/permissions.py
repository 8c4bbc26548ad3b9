"""The geo permissions of a provider account, and verdicts that include them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.tables import workspaces
from app.destinations.policy.evaluate import Policy, Source, check_destination, decide
from app.destinations.tables import provider_permissions
from app.kernel.countries import COUNTRIES, is_country
from app.kernel.errors import DestinationBlocked, InvalidDestination
from app.kernel.phone import CALLING_CODES, Destination, NumberKind, resolve
from app.providers.port import GeoFacts, GeoPermission


@dataclass(frozen=True, slots=True)
class CountryPermission:
    is_open: bool
    is_high_risk: bool = False


@dataclass(frozen=True, slots=True)
class GeoPermissions:
    """The entries of one account by country; empty if it was never asked."""

    entries: Mapping[str, CountryPermission] = field(default_factory=dict)
    facts: GeoFacts = field(default_factory=GeoFacts)

    def entry_of(self, country: str) -> str | None:
        """Return the code whose entry covers a country, or None."""
        candidates = (country, *self.facts.covered_by.get(country, ()))
        return next((code for code in candidates if code in self.entries), None)

    def is_unsupported(self, country: str) -> bool:
        """Return whether the provider refuses a country whatever is permitted."""
        return country in self.facts.unsupported

    def is_closed(self, country: str | None) -> bool | None:
        """Whether the provider blocks a country; None if unknown."""
        if country is None or not self.entries:
            return None
        if self.is_unsupported(country):
            return True
        entry = self.entry_of(country)
        return None if entry is None else not self.entries[entry].is_open

    def is_high_risk(self, country: str) -> bool:
        entry = self.entry_of(country)
        return entry is not None and self.entries[entry].is_high_risk


def geo_permissions_from(permissions: Iterable[GeoPermission], facts: GeoFacts) -> GeoPermissions:
    """Convert the provider's list; unknown country codes are left out.

    The entry with the shortest prefix applies (+34 before +3491); of several, all must be open.
    """
    found: dict[str, list[GeoPermission]] = {}
    for permission in permissions:
        if is_country(permission.country):
            found.setdefault(permission.country, []).append(permission)
    return GeoPermissions(
        {country: _country_permission(entries) for country, entries in found.items()}, facts
    )


def _country_permission(entries: list[GeoPermission]) -> CountryPermission:
    shortest = min(len(entry.prefix) for entry in entries)
    main = [entry for entry in entries if len(entry.prefix) == shortest]
    return CountryPermission(
        is_open=all(entry.is_open for entry in main),
        is_high_risk=any(entry.is_high_risk for entry in entries),
    )


def load_geo_permissions(
    connection: Connection, workspace_id: UUID, facts: GeoFacts
) -> GeoPermissions:
    known = provider_permissions.c
    query = (
        select(known.country, known.is_open, known.is_high_risk)
        .join(workspaces, workspaces.c.account_sid == known.account_sid)
        .where(workspaces.c.id == workspace_id)
    )
    return GeoPermissions(
        {
            row.country: CountryPermission(row.is_open, row.is_high_risk)
            for row in connection.execute(query)
        },
        facts,
    )


def evaluate_numbers(
    numbers: Iterable[str], policy: Policy, geo_permissions: GeoPermissions, now: datetime
) -> list[dict[str, Any]]:
    return [_evaluate(number, policy, geo_permissions, now) for number in numbers]


def _evaluate(
    number: str, policy: Policy, geo_permissions: GeoPermissions, now: datetime
) -> dict[str, Any]:
    destination = resolve(number)
    found: dict[str, Any] = {
        "number": number,
        "canonical": destination.canonical if destination.is_real else None,
        "allowed": False,
        "code": None,
        "country": destination.country,
        "rule": None,
        "scope": None,
        "source": None,
        "revision": policy.revision,
        "provider_closed": geo_permissions.is_closed(destination.country),
    }
    try:
        verdict = check_destination(policy, destination, now)
    except (InvalidDestination, DestinationBlocked) as refused:
        found["code"] = refused.code
        details = refused.details or {}
        decisive = {name: details[name] for name in ("rule", "scope", "source") if name in details}
        return found | decisive
    return found | {
        "allowed": True,
        "rule": verdict.rule,
        "scope": verdict.scope,
        "source": Source.POLICY,
    }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Four lists of country codes, each sorted."""

    allowed_here_closed_there: tuple[str, ...] = ()
    closed_here_open_there: tuple[str, ...] = ()
    high_risk: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.allowed_here_closed_there or self.closed_here_open_there)

    def as_json(self) -> dict[str, list[str]]:
        return {name: list(getattr(self, name)) for name in self.__slots__}


def compare_with_provider(allowed: Collection[str], geo_permissions: GeoPermissions) -> Comparison:
    """Unsupported countries count as closed; without known permissions the lists are empty."""
    if not geo_permissions.entries:
        return Comparison()
    closed = {country: geo_permissions.is_closed(country) for country in sorted(COUNTRIES)}
    return Comparison(
        allowed_here_closed_there=tuple(c for c in closed if closed[c] is True and c in allowed),
        closed_here_open_there=tuple(c for c in closed if closed[c] is False and c not in allowed),
        high_risk=tuple(
            c
            for c in closed
            if geo_permissions.is_high_risk(c) and (c in allowed or closed[c] is False)
        ),
        unsupported=tuple(c for c in closed if geo_permissions.is_unsupported(c) and c in allowed),
    )


def allowed_countries(policy: Policy, now: datetime) -> frozenset[str]:
    return frozenset(c for c in COUNTRIES if decide(policy, at_large(c), now).allowed)


def at_large(country: str) -> Destination:
    beginning = f"+{CALLING_CODES[country]}" if country in CALLING_CODES else ""
    return Destination(beginning, True, country, NumberKind.MOBILE, True)
