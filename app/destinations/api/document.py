"""A policy as a document: country map and rules; the same policy, the same document."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import fields

from app.destinations.api.schemas import MapBody, RuleBody, WantedRule
from app.destinations.policy.evaluate import Rule
from app.destinations.policy.state import PolicyState
from app.kernel.clock import rfc3339


@dataclass(frozen=True, slots=True)
class WantedPolicy:
    """A whole policy; without rules, only its countries."""

    destinations: dict[str, str]
    acknowledge_high_risk: list[str]
    rules: list[WantedRule] | None = None


class PolicyDocument(MapBody):
    """The body of ``PUT``, with optional rules."""

    makes = WantedPolicy
    rules = fields.List(fields.Nested(RuleBody))


def document_of(state: PolicyState, now: datetime) -> dict[str, Any]:
    """Write a policy as a document, without expired rules."""
    live = [rule for rule in state.rules if rule.is_live(now)]
    return {
        "destinations": dict(sorted(state.destinations.items())),
        "rules": [_rule_document(rule) for rule in sorted(live, key=rule_key)],
    }


def rule_content(rule: Rule | WantedRule) -> tuple[str, str, str, str | None, datetime | None]:
    """A rule without its id and creation time."""
    return rule.kind, rule.value, rule.action, rule.reason, rule.expires_at


def rule_key(rule: Rule | WantedRule) -> tuple[str, str]:
    """Unique in a policy."""
    return rule.kind, rule.value


def _rule_document(rule: Rule) -> dict[str, str | None]:
    return {
        "kind": rule.kind.value,
        "value": rule.value,
        "action": rule.action.value,
        "reason": rule.reason,
        "expires_at": None if rule.expires_at is None else rfc3339(rule.expires_at),
    }
