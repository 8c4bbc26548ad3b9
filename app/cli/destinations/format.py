"""Text output of a policy, a change and its history."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from app.cli.group import printable
from app.destinations.api.document import RulesDifference
from app.destinations.policy.evaluate import Rule
from app.destinations.policy.state import CountryChange
from app.kernel.clock import rfc3339
from app.kernel.countries import country_name


def country(code: str) -> str:
    return f"{code} {country_name(code)}"


def change_lines(changes: Iterable[CountryChange]) -> Iterator[str]:
    for one in changes:
        if one.before is None:
            yield f"+ {country(one.country)}: {one.after}"
        elif one.after is None:
            yield f"- {country(one.country)}: {one.before}"
        else:
            yield f"~ {country(one.country)}: {one.before} -> {one.after}"


def rule_lines(rules: RulesDifference) -> Iterator[str]:
    yield from (f"- rule: {rule_text(rule)}" for rule in rules.removed)
    yield from (f"+ rule: {rule_text(rule)}" for rule in rules.added)


def rule_text(rule: Rule) -> str:
    until = "" if rule.expires_at is None else f" until {rfc3339(rule.expires_at)}"
    reason = "" if rule.reason is None else f" ({printable(rule.reason)})"
    return f"{rule.kind} {rule.value} {rule.action}{until}{reason}"


def rule_row(rule: Rule, now: datetime) -> tuple[str, ...]:
    until = ""
    if rule.expires_at is not None:
        until = f"{'until' if rule.is_live(now) else 'expired'} {rfc3339(rule.expires_at)}"
    return str(rule.rule_id), rule.kind, rule.value, rule.action, until, rule.reason or ""


def impact_lines(impact: dict[str, Any]) -> Iterator[str]:
    yield f"of the last {impact['days']} days:"
    for one in impact["would_block"]:
        yield (
            f"  would have been blocked: {country(one['country'])}, "
            f"{one['messages']} messages ({one['segments']} segments)"
        )
    for one in impact["would_release"]:
        yield f"  would have been sent: {country(one['country'])}, {one['refusals']} refused sends"
    if not impact["would_block"] and not impact["would_release"]:
        yield f"  no message of the last {impact['days']} days would be affected"


def revision_lines(revision: dict[str, Any]) -> Iterator[str]:
    actor = f"{printable(revision['actor']['name'])} ({revision['actor']['kind']})"
    reason = "" if revision["reason"] is None else f": {printable(revision['reason'])}"
    action = revision["action"]
    if revision["restored_revision"] is not None:
        action = f"{action} revision {revision['restored_revision']}"
    yield f"{revision['revision']}  {revision['at']}  {action} by {actor}{reason}"
    changes = [CountryChange(c["country"], c["from"], c["to"]) for c in revision["changes"]]
    yield from (f"    {line}" for line in change_lines(changes))
