"""Edits of a policy, and the problems of a requested change by JSON path. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from app.destinations.policy.evaluate import NOT_A_COUNTRY, RULE_KINDS, Access, Rule, RuleKind
from app.kernel.countries import is_country

MAX_ENTRIES = 300
DENIED = "The organization denies this destination; a workspace cannot allow it."
_ROOT = "$.destinations"
_STATUSES = f"Must be one of: {', '.join(Access)}."
FieldProblems = dict[str, list[str]]
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class PolicyState:
    """If it ``inherits``, the parent's applies instead."""

    destinations: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    inherits: bool = False

    def rule_for(self, kind: RuleKind, value: str) -> Rule | None:
        return next((one for one in self.rules if (one.kind, one.value) == (kind, value)), None)


def replace_map(state: PolicyState, wanted: Mapping[str, str]) -> PolicyState:
    """Absent countries are blocked."""
    kept = [r for r in state.rules if not _contradicts(r, wanted.get(r.value, Access.BLOCKED))]
    return replace(state, destinations=dict(wanted), rules=tuple(kept))


def set_countries(state: PolicyState, codes: Iterable[str], access: Access) -> PolicyState:
    wanted = dict.fromkeys(codes, access.value)
    kept = [r for r in state.rules if r.value not in wanted or not _contradicts(r, access)]
    return replace(state, destinations={**state.destinations, **wanted}, rules=tuple(kept))


def add_rules(state: PolicyState, new: Iterable[Rule]) -> PolicyState:
    """A rule replaces another one of the same kind and value."""
    for rule in new:
        old = state.rule_for(rule.kind, rule.value)
        stored = old and (old.action, old.expires_at, old.reason)
        if stored != (rule.action, rule.expires_at, rule.reason):
            kept = tuple(one for one in state.rules if one is not old)
            state = replace(state, rules=(*kept, rule))
    return state


def restored(snapshot: PolicyState, now: datetime) -> PolicyState:
    """Restore a state without expired rules.

    Old numbers become canonical; of two rules that become the same, the blocking one stays.
    """
    live = [_canonical(rule) for rule in snapshot.rules if rule.is_live(now)]
    kept: dict[tuple[RuleKind, str], Rule] = {}
    for rule in sorted(live, key=lambda one: one.action is not Access.BLOCKED):
        kept.setdefault((rule.kind, rule.value), rule)
    rules = tuple(rule for rule in live if kept[rule.kind, rule.value] is rule)
    return replace(snapshot, rules=rules)


def _canonical(rule: Rule) -> Rule:
    value = RULE_KINDS[rule.kind].canonical(rule.value)
    return rule if value is None else replace(rule, value=value)


def _contradicts(rule: Rule, access: str) -> bool:
    return rule.kind is RuleKind.COUNTRY and rule.action != access


def country_accesses(state: PolicyState, now: datetime) -> dict[str, str]:
    found = dict(state.destinations)
    for rule in state.rules:
        if rule.kind is RuleKind.COUNTRY and rule.is_live(now):
            found[rule.value] = rule.action.value
    return found


def country_allowances(state: PolicyState, now: datetime) -> dict[str, datetime | None]:
    """Return the end of each country's allowance; None is permanent."""
    ends = {
        rule.value: rule.expires_at
        for rule in state.rules
        if rule.kind is RuleKind.COUNTRY and rule.is_live(now)
    }
    return {
        code: None if state.destinations.get(code) == Access.ALLOWED else ends.get(code)
        for code, access in country_accesses(state, now).items()
        if access == Access.ALLOWED
    }


@dataclass(frozen=True, slots=True)
class CountryChange:
    """The change of one country; None means that the policy does not list it."""

    country: str
    before: str | None
    after: str | None

    def as_json(self) -> dict[str, Any]:
        return {"country": self.country, "from": self.before, "to": self.after}


def country_changes(
    before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[CountryChange, ...]:
    return tuple(
        CountryChange(code, before.get(code), after.get(code))
        for code in sorted(before.keys() | after.keys())
        if before.get(code) != after.get(code)
    )


def problems_of_map(
    wanted: Mapping[str, str], denied_by_organization: frozenset[str]
) -> FieldProblems:
    """Check a country map; the path contains the country."""
    entries = ((code, code, access) for code, access in wanted.items())
    found = _wrong(entries, denied_by_organization)
    return {f"{_ROOT}.{code}": texts for code, texts in found.items()} | _too_many(len(wanted))


def problems_of_list(
    codes: Sequence[str], access: Access, denied_by_organization: frozenset[str]
) -> FieldProblems:
    """Check a list of countries; the path contains the index."""
    entries = ((place, code, access) for place, code in enumerate(codes))
    found = _wrong(entries, denied_by_organization)
    return {f"{_ROOT}[{place}]": texts for place, texts in found.items()} | _too_many(len(codes))


def wrong_entries(given: object) -> Mapping[Any, list[str]]:
    """Check raw entries; the key is the country code in a map, the index in a list."""
    if isinstance(given, Mapping):
        return _wrong(((code, code, access) for code, access in given.items()), frozenset())
    codes = enumerate(given) if isinstance(given, list) else ()
    blocked = Access.BLOCKED
    return _wrong(((at, code, blocked) for at, code in codes if isinstance(code, str)), frozenset())


def _wrong(
    entries: Iterable[tuple[K, str, object]], denied_by_organization: frozenset[str]
) -> dict[K, list[str]]:
    found: dict[K, list[str]] = {}
    for key, code, access in entries:
        texts = [] if is_country(code) else [NOT_A_COUNTRY]
        if access == Access.ALLOWED and code in denied_by_organization:
            texts.append(DENIED)
        if isinstance(access, str) and access not in set(Access):
            texts.append(_STATUSES)
        if texts:
            found[key] = texts
    return found


def problems_of_rule(
    rule: Rule, denied_by_organization: frozenset[str], now: datetime
) -> FieldProblems:
    """Check a rule whose value has a valid form."""
    found: FieldProblems = {}
    if rule.action is Access.ALLOWED:
        countries = RULE_KINDS[rule.kind].countries(rule.value)
        if not countries:
            found["$.value"] = ["Belongs to no country, so it can never be reached."]
        elif countries <= denied_by_organization:
            found["$.value"] = [DENIED]
    if not rule.is_live(now):
        found["$.expires_at"] = ["Has already passed."]
    return found


def _too_many(entries: int) -> FieldProblems:
    return {_ROOT: [f"At most {MAX_ENTRIES} entries."]} if entries > MAX_ENTRIES else {}


def merged(one: FieldProblems, other: FieldProblems) -> FieldProblems:
    return {path: [*one.get(path, []), *other.get(path, [])] for path in {**one, **other}}
