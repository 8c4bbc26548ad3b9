"""Import: make a policy match a document, or compare the two."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from app.destinations.changes import replace_all
from app.destinations.document import WantedPolicy, content_of, place_of
from app.destinations.high_risk import HIGH_RISK, unacknowledged
from app.destinations.load import Effective
from app.destinations.manage import Change
from app.destinations.policy import Access, Rule, RuleKind
from app.destinations.problems import Problems, merged, problems_of_rule
from app.destinations.schemas import WantedRule
from app.destinations.state import (
    CountryChange,
    Edit,
    PolicyState,
    country_accesses,
    country_changes,
)
from app.kernel.errors import ValidationFailed
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class Difference:
    """The changes of countries, and the resulting policy."""

    changes: tuple[CountryChange, ...]
    after: PolicyState


def take_document(
    wanted: WantedPolicy, now: datetime, acknowledged: Collection[str] = ()
) -> Change:
    """Make the policy match the document in one revision.

    Existing equal rules stay. Without rules in the document this is `replace_all`.
    """
    acknowledged = {*acknowledged, *wanted.acknowledge_high_risk}
    countries = replace_all(wanted.destinations, acknowledged)
    rules = wanted.rules
    if rules is None:
        return countries

    def edit(_: Connection, before: Effective) -> Edit:
        after = _with_rules(before.state.rules, rules, now)
        return lambda state: replace(state, destinations=wanted.destinations, rules=after)

    def problems(connection: Connection, before: Effective) -> Problems:
        found = countries.problems(connection, before)
        found = merged(found, _risks(connection, before, rules, acknowledged))
        return merged(found, _problems_of_rules(rules, before.floor, now))

    return Change(action="imported", edit=edit, problems=problems)


def compare(
    connection: Connection, effective: Effective, wanted: WantedPolicy, now: datetime
) -> Difference:
    """Compare a document with the effective policy.

    Raises:
        ValidationFailed: the document is not a valid policy here.
    """
    allowed = [*wanted.destinations, *(rule.value for rule in wanted.rules or ())]
    change = take_document(wanted, now, allowed)  # only whoever allows has to acknowledge
    problems = change.problems(connection, effective)
    if problems:
        raise ValidationFailed(problems)
    after = change.edit(connection, effective)(effective.state)
    before = country_accesses(effective.state, now)
    return Difference(country_changes(before, country_accesses(after, now)), after)


def _with_rules(
    stored: tuple[Rule, ...], wanted: list[WantedRule], now: datetime
) -> tuple[Rule, ...]:
    contents = {content_of(rule) for rule in wanted}
    places = {place_of(rule) for rule in wanted}
    kept = tuple(
        rule
        for rule in stored
        if content_of(rule) in contents or not (rule.is_live(now) or place_of(rule) in places)
    )
    known = {content_of(rule) for rule in kept}
    return kept + tuple(_rule(rule, now) for rule in wanted if content_of(rule) not in known)


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
    before: Effective,
    rules: list[WantedRule],
    acknowledged: Collection[str],
) -> Problems:
    standing = {content_of(rule) for rule in before.state.rules}
    codes = {
        place: rule.value
        for place, rule in enumerate(rules)
        if (rule.kind, rule.action) == (RuleKind.COUNTRY, Access.ALLOWED)
        and content_of(rule) not in standing
    }
    risky = unacknowledged(connection, before, list(codes.values()), acknowledged)
    return {f"$.rules[{at}].value": [HIGH_RISK] for at, code in codes.items() if code in risky}


def _problems_of_rules(rules: list[WantedRule], floor: frozenset[str], now: datetime) -> Problems:
    times = Counter(map(place_of, rules))
    found: Problems = {}
    for at, rule in enumerate(rules):
        for path, texts in problems_of_rule(_rule(rule, now), floor, now).items():
            found[path.replace("$", f"$.rules[{at}]", 1)] = texts
        if times[place_of(rule)] > 1:
            found[f"$.rules[{at}]"] = ["There are several rules of this kind and value."]
    return found
