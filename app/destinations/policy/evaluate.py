"""The verdict for one number, for sends and checks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain
from uuid import UUID

from app.kernel.countries import is_country
from app.kernel.errors import DestinationBlocked, InvalidDestination
from app.kernel.number_prefixes import canonical_prefix, countries_of_prefix, problem_of_prefix
from app.kernel.phone import (
    Destination,
    PhoneNumber,
    is_e164,
    not_canonical,
    problem_of_number,
    resolve,
)


class Source(StrEnum):
    ACCESS_KEY = "access_key"
    POLICY = "policy"
    GUARD = "guard"
    PROVIDER = "provider"


class Access(StrEnum):
    ALLOWED = "allowed"
    BLOCKED = "blocked"


class RuleKind(StrEnum):
    """The kind of the deciding rule; `RULE_KINDS` are those of rules."""

    COUNTRY = "country"
    PREFIX = "prefix"
    NUMBER = "number"
    NO_COUNTRY = "no_country"
    PROVIDER = "provider"


class Scope(StrEnum):
    ORGANIZATION = "organization"
    WORKSPACE = "workspace"
    USE_CASE = "use_case"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Rule:
    """``value`` is a number, prefix or country; ``copied_from`` is the original's workspace."""

    rule_id: UUID
    kind: RuleKind
    value: str
    action: Access
    expires_at: datetime | None = None
    reason: str | None = None
    created_at: datetime | None = None
    copied_from: UUID | None = None

    def is_live(self, now: datetime) -> bool:
        return self.expires_at is None or self.expires_at > now

    def covers(self, destination: Destination) -> bool:
        return RULE_KINDS[self.kind].covers(self.value, destination)


@dataclass(frozen=True, slots=True)
class RuleKindTraits:
    """How rules of a kind work.

    ``values`` are those of all rules that can cover a number; ``countries`` are all of which a
    value can cover numbers; ``problem_of`` is why a value is invalid; ``canonical`` is its
    canonical form, or None to keep it.
    """

    label: str
    covers: Callable[[str, Destination], bool]
    values: Callable[[Destination], Iterable[str]]
    countries: Callable[[str], frozenset[str]]
    problem_of: Callable[[str], str | None]
    canonical: Callable[[str], str | None] = lambda _: None


NOT_A_COUNTRY = "Must be an ISO 3166-1 alpha-2 country code in upper case."
_NOT_E164 = "Must be a number in E.164 form, for example +12025550123."


def _prefixes(to: Destination) -> list[str]:
    number = to.canonical or to.number
    return [number[:length] for length in range(1, len(number) + 1)]


def _country_of(to: Destination) -> list[str]:
    return [] if to.country is None else [to.country]


# From the least specific to the most specific, which decides.
RULE_KINDS: Mapping[RuleKind, RuleKindTraits] = {
    RuleKind.COUNTRY: RuleKindTraits(
        label="Country",
        covers=lambda value, to: to.country == value,
        values=_country_of,
        countries=lambda value: frozenset({value}),
        problem_of=lambda value: None if is_country(value) else NOT_A_COUNTRY,
    ),
    RuleKind.PREFIX: RuleKindTraits(
        label="Number prefix",
        covers=lambda value, to: to.number.startswith(value),
        values=_prefixes,
        countries=countries_of_prefix,
        problem_of=problem_of_prefix,
        canonical=canonical_prefix,
    ),
    RuleKind.NUMBER: RuleKindTraits(
        label="Single number",
        covers=lambda value, to: to.number == value,
        values=lambda to: [to.canonical or to.number],
        countries=lambda value: frozenset(_country_of(resolve(value))),
        problem_of=lambda value: problem_of_number(value) if is_e164(value) else _NOT_E164,
        canonical=PhoneNumber.parse,
    ),
}


def rule_values(to: Destination) -> list[str]:
    values = [kind.values(to) for kind in RULE_KINDS.values()]
    return list(dict.fromkeys(chain.from_iterable(values)))


@dataclass(frozen=True, slots=True)
class Policy:
    revision: int
    destinations: Mapping[str, str]
    denied_by_organization: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    use_case_countries: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    allowed: bool
    country: str | None
    rule: RuleKind
    scope: Scope
    revision: int


def decide(policy: Policy, destination: Destination, now: datetime) -> Verdict:
    country = destination.country
    if country is None:
        return Verdict(False, None, RuleKind.NO_COUNTRY, Scope.WORKSPACE, policy.revision)
    if country in policy.denied_by_organization:
        return Verdict(False, country, RuleKind.COUNTRY, Scope.ORGANIZATION, policy.revision)
    kind, access = _decide_in_workspace(policy, destination, country, now)
    if access is not Access.ALLOWED:
        return Verdict(False, country, kind, Scope.WORKSPACE, policy.revision)
    if policy.use_case_countries is not None and country not in policy.use_case_countries:
        return Verdict(False, country, RuleKind.COUNTRY, Scope.USE_CASE, policy.revision)
    return Verdict(True, country, kind, Scope.WORKSPACE, policy.revision)


def _decide_in_workspace(
    policy: Policy, destination: Destination, country: str, now: datetime
) -> tuple[RuleKind, Access]:
    decisive = decisive_rule(policy, destination, now)
    if decisive is not None:
        return decisive.kind, decisive.action
    return RuleKind.COUNTRY, Access(policy.destinations.get(country, Access.BLOCKED))


def decisive_rule(policy: Policy, destination: Destination, now: datetime) -> Rule | None:
    speaking = [r for r in policy.rules if r.is_live(now) and r.covers(destination)]
    return max(speaking, key=_precedence) if speaking else None


_SPECIFICITY = {kind: rank for rank, kind in enumerate(RULE_KINDS)}


def _precedence(rule: Rule) -> tuple[int, int, bool]:
    # Of two rules for exactly the same numbers, the blocking one decides.
    return _SPECIFICITY[rule.kind], len(rule.value), rule.action is Access.BLOCKED


def check_destination(policy: Policy, destination: Destination, now: datetime) -> Verdict:
    """Raises `InvalidDestination` (``details.canonical``) or `DestinationBlocked`."""
    if not destination.is_real:
        raise InvalidDestination(details={"reason": "not_a_real_number"})
    number, canonical = destination.number, destination.canonical
    if canonical is not None and number != canonical:
        raise InvalidDestination(
            not_canonical(number, canonical),
            details={"reason": "not_canonical", "canonical": canonical},
        )
    if destination.country is not None and not destination.receives_sms:
        raise InvalidDestination(
            details={
                "reason": "cannot_receive_sms",
                "kind": destination.kind,
                "country": destination.country,
            }
        )
    verdict = decide(policy, destination, now)
    if not verdict.allowed:
        raise DestinationBlocked(
            details={
                "source": Source.POLICY,
                "country": verdict.country,
                "rule": verdict.rule,
                "scope": verdict.scope,
                "revision": verdict.revision,
                "retryable": False,
            }
        )
    return verdict
