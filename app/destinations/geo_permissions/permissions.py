"""The geo permissions of a provider account, and their effect on a number or a country."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.tables import workspaces
from app.destinations.policy.evaluate import (
    Access,
    Policy,
    Rule,
    RuleKind,
    Source,
    check_destination,
    decide,
)
from app.destinations.storage.policies import EffectivePolicy
from app.destinations.tables import provider_permissions
from app.kernel.clock import rfc3339
from app.kernel.countries import COUNTRIES, has_numbers, is_country
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
        candidates = (country, *self.facts.covered_by.get(country, ()))
        return next((code for code in candidates if code in self.entries), None)

    def is_unsupported(self, country: str) -> bool:
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


class Blocker(StrEnum):
    NO_NUMBERS = "no_numbers"
    UNSUPPORTED = "unsupported"
    ORGANIZATION = "organization"
    WORKSPACE = "workspace"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class CountryBlocker:
    blocker: Blocker
    why: str


def find_blockers(
    effective: EffectivePolicy,
    geo_permissions: GeoPermissions,
    country: str,
    now: datetime,
    *,
    is_suspended: bool,
) -> list[CountryBlocker]:
    found = []
    if not has_numbers(country):
        found.append(CountryBlocker(Blocker.NO_NUMBERS, "no phone number belongs to it"))
    if geo_permissions.is_unsupported(country):
        found.append(CountryBlocker(Blocker.UNSUPPORTED, "the provider refuses it for everybody"))
    if country in effective.denied_by_organization:
        found.append(CountryBlocker(Blocker.ORGANIZATION, "the organization denies it"))
    if is_suspended:
        found.append(CountryBlocker(Blocker.WORKSPACE, "the workspace is suspended"))
    why = _blocked_by_policy(
        replace(effective.policy(), denied_by_organization=frozenset()), at_large(country), now
    )
    if why is not None:
        owner = " (inherited from its parent)" if effective.inherits else ""
        found.append(CountryBlocker(Blocker.WORKSPACE, why + owner))
    if not geo_permissions.is_unsupported(country) and has_numbers(country):
        found += _blocked_by_provider(geo_permissions, country)
    return found


def _blocked_by_policy(policy: Policy, destination: Destination, now: datetime) -> str | None:
    if decide(policy, destination, now).allowed:
        return None
    blocking = [
        rule
        for rule in policy.rules
        if rule.is_live(now) and rule.covers(destination) and rule.action is Access.BLOCKED
    ]
    if blocking:
        return _rule_text(max(blocking, key=lambda r: (r.kind is RuleKind.PREFIX, len(r.value))))
    if destination.country in policy.destinations:
        return "its country map blocks it"
    return "its country map does not name it"


def _rule_text(rule: Rule) -> str:
    until = "" if rule.expires_at is None else f" until {rfc3339(rule.expires_at)}"
    reason = "" if rule.reason is None else f": {rule.reason}"
    return f"its rule {rule.rule_id} blocks {rule.kind} {rule.value}{until}{reason}"


def _blocked_by_provider(geo_permissions: GeoPermissions, country: str) -> list[CountryBlocker]:
    is_closed = geo_permissions.is_closed(country)
    if is_closed is False:
        return []
    if is_closed is None:
        why = "the provider lists no permission for it"
    elif geo_permissions.is_high_risk(country):
        why = "closed at the provider, as high-risk: only its console can open it"
    else:
        why = "closed at the provider"
    return [CountryBlocker(Blocker.PROVIDER, why)]
