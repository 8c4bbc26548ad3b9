"""A workspace's own policy and its edits. Pure.

An edit maps a state to a state. Country edits (`allow`, `block`, `replace`) apply to whole
countries, so they remove contradicting country rules; rules for prefixes and numbers stay.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.destinations.policy import Access, Rule, RuleKind
from app.kernel.number_prefixes import canonical_prefix
from app.kernel.phone import PhoneNumber


@dataclass(frozen=True, slots=True)
class PolicyState:
    """The policy of a workspace; ``inherits`` means that the parent's applies instead."""

    destinations: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    inherits: bool = False


Edit = Callable[[PolicyState], PolicyState]


def replace_map(wanted: Mapping[str, str]) -> Edit:
    """Replace the whole country map; absent countries are blocked."""

    def edit(state: PolicyState) -> PolicyState:
        kept = [r for r in state.rules if not _contradicts(r, wanted.get(r.value, Access.BLOCKED))]
        return replace(state, destinations=dict(wanted), rules=tuple(kept))

    return edit


def set_countries(codes: Iterable[str], access: Access) -> Edit:
    """Allow or block countries and keep the rest of the map."""
    wanted = dict.fromkeys(codes, access.value)

    def edit(state: PolicyState) -> PolicyState:
        kept = [r for r in state.rules if r.value not in wanted or not _contradicts(r, access)]
        return replace(state, destinations={**state.destinations, **wanted}, rules=tuple(kept))

    return edit


def add_rules(rules: Iterable[Rule]) -> Edit:
    """Add rules; one of the same kind and value takes the place of the older."""
    new = tuple(rules)
    said = {(rule.kind, rule.value) for rule in new}

    def edit(state: PolicyState) -> PolicyState:
        kept = tuple(rule for rule in state.rules if (rule.kind, rule.value) not in said)
        return replace(state, rules=kept + new)

    return edit


def remove_rule(rule_id: UUID) -> Edit:
    """Take a rule away."""

    def edit(state: PolicyState) -> PolicyState:
        return replace(state, rules=tuple(r for r in state.rules if r.rule_id != rule_id))

    return edit


def follow_parent() -> Edit:
    """Leave every decision to the parent; the own policy rests."""
    return lambda state: replace(state, inherits=True)


def start_from(copied: PolicyState) -> Edit:
    """Stop inheriting, starting from a copy of the parent's policy."""
    return lambda _: replace(copied, inherits=False)


def restore(snapshot: PolicyState, now: datetime) -> Edit:
    """Go back to an earlier state; rules that have expired since stay away.

    An old state may name a number otherwise than in canonical form. Of rules that become the same
    the one that blocks stays.
    """
    live = [_canonical(rule) for rule in snapshot.rules if rule.is_live(now)]
    kept: dict[tuple[RuleKind, str], Rule] = {}
    for rule in sorted(live, key=lambda one: one.action is not Access.BLOCKED):
        kept.setdefault((rule.kind, rule.value), rule)
    rules = tuple(rule for rule in live if kept[rule.kind, rule.value] is rule)
    return lambda _: replace(snapshot, rules=rules)


def _canonical(rule: Rule) -> Rule:
    value: str | None = None
    if rule.kind is RuleKind.NUMBER:
        value = PhoneNumber.parse(rule.value)
    elif rule.kind is RuleKind.PREFIX:
        value = canonical_prefix(rule.value)
    return rule if value is None else replace(rule, value=value)


def _contradicts(rule: Rule, access: str) -> bool:
    return rule.kind is RuleKind.COUNTRY and rule.action != access


def country_accesses(state: PolicyState, now: datetime) -> dict[str, str]:
    """Return the access of each country in the map or in a live country rule."""
    found = dict(state.destinations)
    for rule in state.rules:
        if rule.kind is RuleKind.COUNTRY and rule.is_live(now):
            found[rule.value] = rule.action.value
    return found


def country_allowances(state: PolicyState, now: datetime) -> dict[str, datetime | None]:
    """Say until when each allowed country is allowed; None is for good."""
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
    """The change of one country; None means that the policy does not name it, which blocks it."""

    country: str
    before: str | None
    after: str | None

    def as_json(self) -> dict[str, Any]:
        """Write the change in the words of the API."""
        return {"country": self.country, "from": self.before, "to": self.after}


def country_changes(
    before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[CountryChange, ...]:
    """List the countries that differ between two country maps, in the order of their codes."""
    return tuple(
        CountryChange(code, before.get(code), after.get(code))
        for code in sorted(before.keys() | after.keys())
        if before.get(code) != after.get(code)
    )
