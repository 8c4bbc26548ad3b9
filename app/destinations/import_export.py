"""Import: make a policy match a document, or compare the two."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from app.destinations.api.document import WantedPolicy, rule_content, rule_key
from app.destinations.api.schemas import WantedRule
from app.destinations.changes import ReplaceMap, risks_of_rules
from app.destinations.manage import CurrentPolicy, PolicyChange
from app.destinations.policy.evaluate import Rule
from app.destinations.policy.state import (
    CountryChange,
    FieldProblems,
    PolicyState,
    country_accesses,
    country_changes,
    merged,
    problems_of_rule,
)
from app.destinations.storage.policies import EffectivePolicy
from app.kernel.countries import COUNTRIES
from app.kernel.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class ImportPlan:
    changes: tuple[CountryChange, ...]
    after: PolicyState


@dataclass(frozen=True, slots=True)
class ImportDocument(PolicyChange):
    """Make the policy match a document with rules in one revision; equal rules stay."""

    wanted: WantedPolicy
    acknowledged: Collection[str] = ()
    action = "imported"

    def check(self, current: CurrentPolicy) -> FieldProblems:
        rules, acknowledged = self.wanted.rules or [], self.acknowledged
        found = ReplaceMap(self.wanted.destinations, acknowledged).check(current)
        found = merged(found, _risks(current, rules, acknowledged))
        return merged(found, _problems_of_rules(rules, current.denied, current.now))

    def apply(self, current: CurrentPolicy) -> PolicyState:
        after = _with_rules(current.effective.state.rules, self.wanted.rules or [], current.now)
        return replace(current.state, destinations=self.wanted.destinations, rules=after)


def import_document(wanted: WantedPolicy, acknowledged: Collection[str] = ()) -> PolicyChange:
    """Make the policy match the document in one revision; without rules only the map."""
    acknowledged = {*acknowledged, *wanted.acknowledge_high_risk}
    if wanted.rules is None:
        return ReplaceMap(wanted.destinations, acknowledged)
    return ImportDocument(wanted, acknowledged)


def plan_import(
    connection: Connection, effective: EffectivePolicy, wanted: WantedPolicy, now: datetime
) -> ImportPlan:
    """Compare a document with the effective policy; raises `ValidationFailed`."""
    current = CurrentPolicy(connection, effective, now)
    change = import_document(wanted, COUNTRIES)  # a comparison needs no acknowledgement
    problems = change.check(current)
    if problems:
        raise ValidationFailed(problems)
    after = change.apply(current)
    before = country_accesses(effective.state, now)
    return ImportPlan(country_changes(before, country_accesses(after, now)), after)


def _with_rules(
    stored: tuple[Rule, ...], wanted: list[WantedRule], now: datetime
) -> tuple[Rule, ...]:
    contents = {rule_content(rule) for rule in wanted}
    places = {rule_key(rule) for rule in wanted}
    kept = tuple(
        rule
        for rule in stored
        if rule_content(rule) in contents or not (rule.is_live(now) or rule_key(rule) in places)
    )
    known = {rule_content(rule) for rule in kept}
    return kept + tuple(rule.rule(now) for rule in wanted if rule_content(rule) not in known)


def _risks(
    current: CurrentPolicy, rules: list[WantedRule], acknowledged: Collection[str]
) -> FieldProblems:
    before = current.effective
    standing = {rule_content(rule) for rule in before.state.rules}
    new = {at: rule for at, rule in enumerate(rules) if rule_content(rule) not in standing}
    made = [rule.rule(current.now) for rule in new.values()]
    found = zip(new, risks_of_rules(current.connection, before, made, acknowledged), strict=True)
    return {f"$.rules[{at}].value": texts for at, texts in found if texts}


def _problems_of_rules(
    rules: list[WantedRule], denied_by_organization: frozenset[str], now: datetime
) -> FieldProblems:
    times = Counter(map(rule_key, rules))
    found: FieldProblems = {}
    for at, rule in enumerate(rules):
        for path, texts in problems_of_rule(rule.rule(now), denied_by_organization, now).items():
            found[path.replace("$", f"$.rules[{at}]", 1)] = texts
        if times[rule_key(rule)] > 1:
            found[f"$.rules[{at}]"] = ["There are several rules of this kind and value."]
    return found
