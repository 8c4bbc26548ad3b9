"""Import: make a policy match a document, or compare the two."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from app.destinations.api.document import WantedPolicy, rule_content, rule_key
from app.destinations.api.schemas import WantedRule
from app.destinations.changes import HIGH_RISK, replace_all, unacknowledged
from app.destinations.manage import PolicyChange
from app.destinations.policy.evaluate import Access, Rule, RuleKind
from app.destinations.policy.state import (
    CountryChange,
    Edit,
    FieldProblems,
    PolicyState,
    country_accesses,
    country_changes,
    merged,
    problems_of_rule,
)
from app.destinations.storage.policies import EffectivePolicy
from app.kernel.errors import ValidationFailed
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """The changes of countries, and the resulting policy."""

    changes: tuple[CountryChange, ...]
    after: PolicyState


def import_document(
    wanted: WantedPolicy, now: datetime, acknowledged: Collection[str] = ()
) -> PolicyChange:
    """Make the policy match the document in one revision.

    Existing equal rules stay. Without rules in the document this is `replace_all`.
    """
    acknowledged = {*acknowledged, *wanted.acknowledge_high_risk}
    countries = replace_all(wanted.destinations, acknowledged)
    rules = wanted.rules
    if rules is None:
        return countries

    def edit(_: Connection, before: EffectivePolicy) -> Edit:
        after = _with_rules(before.state.rules, rules, now)
        return lambda state: replace(state, destinations=wanted.destinations, rules=after)

    def problems(connection: Connection, before: EffectivePolicy) -> FieldProblems:
        found = countries.problems(connection, before)
        found = merged(found, _risks(connection, before, rules, acknowledged))
        return merged(found, _problems_of_rules(rules, before.denied_by_organization, now))

    return PolicyChange(action="imported", edit=edit, problems=problems)


def plan_import(
    connection: Connection, effective: EffectivePolicy, wanted: WantedPolicy, now: datetime
) -> ImportPlan:
    """Compare a document with the effective policy.

    Raises:
        ValidationFailed: the document is not a valid policy here.
    """
    allowed = [*wanted.destinations, *(rule.value for rule in wanted.rules or ())]
    change = import_document(wanted, now, allowed)  # only whoever allows has to acknowledge
    problems = change.problems(connection, effective)
    if problems:
        raise ValidationFailed(problems)
    after = change.edit(connection, effective)(effective.state)
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
    return kept + tuple(_rule(rule, now) for rule in wanted if rule_content(rule) not in known)


def _rule(wanted: WantedRule, now: datetime) -> Rule:
    return Rule(
        rule_id=new_id(),
        kind=wanted.kind,
        value=wanted.value,
        action=wanted.action,
        expires_at=wanted.expires_at,
        reason=wanted.reason,
        created_at=now,
    )


def _risks(
    connection: Connection,
    before: EffectivePolicy,
    rules: list[WantedRule],
    acknowledged: Collection[str],
) -> FieldProblems:
    standing = {rule_content(rule) for rule in before.state.rules}
    codes = {
        place: rule.value
        for place, rule in enumerate(rules)
        if (rule.kind, rule.action) == (RuleKind.COUNTRY, Access.ALLOWED)
        and rule_content(rule) not in standing
    }
    risky = unacknowledged(connection, before, list(codes.values()), acknowledged)
    return {f"$.rules[{at}].value": [HIGH_RISK] for at, code in codes.items() if code in risky}


def _problems_of_rules(
    rules: list[WantedRule], denied_by_organization: frozenset[str], now: datetime
) -> FieldProblems:
    times = Counter(map(rule_key, rules))
    found: FieldProblems = {}
    for at, rule in enumerate(rules):
        for path, texts in problems_of_rule(_rule(rule, now), denied_by_organization, now).items():
            found[path.replace("$", f"$.rules[{at}]", 1)] = texts
        if times[rule_key(rule)] > 1:
            found[f"$.rules[{at}]"] = ["There are several rules of this kind and value."]
    return found
