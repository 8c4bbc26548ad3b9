"""Whether a workspace can reach a country today, and what blocks it. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from app.destinations.geo_permissions.permissions import GeoPermissions, at_large
from app.destinations.policy.evaluate import Access, Policy, Rule, RuleKind, decide
from app.destinations.policy.territories import has_numbers
from app.destinations.storage.policies import EffectivePolicy
from app.kernel.clock import rfc3339
from app.kernel.phone import Destination


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
    """List everything that blocks a country; empty if it can be reached."""
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
