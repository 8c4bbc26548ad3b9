"""A policy as a document: its country map and rules, nothing of when or by whom it was made.

The same policy always gives the same document. Whether it may count is not known here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import fields, post_load

from app.destinations.policy import Rule
from app.destinations.schemas import MapBody, RuleBody, WantedRule
from app.destinations.state import PolicyState
from app.kernel.clock import rfc3339


@dataclass(frozen=True, slots=True)
class WantedPolicy:
    """A whole policy; without rules the document speaks of countries only."""

    destinations: dict[str, str]
    acknowledge_high_risk: list[str]
    rules: list[WantedRule] | None = None


class PolicyDocument(MapBody):
    """The document: the body of ``PUT``, and the rules where it has them."""

    rules = fields.List(fields.Nested(RuleBody))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return WantedPolicy(**data)


def document_of(state: PolicyState, now: datetime) -> dict[str, Any]:
    """Write a policy as a document; rules that have expired decide nothing and are left out."""
    live = [rule for rule in state.rules if rule.is_live(now)]
    return {
        "destinations": dict(sorted(state.destinations.items())),
        "rules": [_rule_document(rule) for rule in sorted(live, key=place_of)],
    }


def content_of(rule: Rule | WantedRule) -> tuple[str, str, str, str | None, datetime | None]:
    """Return what a rule says, whenever it was made: two with the same content are one."""
    return rule.kind, rule.value, rule.action, rule.reason, rule.expires_at


def place_of(rule: Rule | WantedRule) -> tuple[str, str]:
    """Return what a rule is about: a policy has one rule for each kind and value."""
    return rule.kind, rule.value


def _rule_document(rule: Rule) -> dict[str, str | None]:
    return {
        "kind": rule.kind.value,
        "value": rule.value,
        "action": rule.action.value,
        "reason": rule.reason,
        "expires_at": None if rule.expires_at is None else rfc3339(rule.expires_at),
    }
