"""A policy as a document, and its history as JSON and CSV, with the rules that a reader may see.

The same policy gives the same document.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import fields
from sqlalchemy import Connection, select

from app.access.principal import Role, shown_number, shown_reason
from app.db.rows import AnyRow, load_page
from app.destinations.api.schemas import HistoryFilter, MapBody, RevisionView, RuleBody, WantedRule
from app.destinations.policy.evaluate import Rule, RuleKind
from app.destinations.policy.state import PolicyState
from app.destinations.storage.policies import rule_json, state_of_revision
from app.destinations.tables import destination_revisions
from app.kernel.clock import rfc3339
from app.kernel.texts import without_formula

# A prefix of this length identifies few subscribers.
_NEARLY_A_NUMBER = 11
_CONTENT = ("kind", "value", "action", "reason", "expires_at")
_CSV_COLUMNS = (
    "revision",
    "from_revision",
    "at",
    "actor_kind",
    "actor_name",
    "action",
    "reason",
    "country",
    "from",
    "to",
    "rules",
    "restored_revision",
)


@dataclass(frozen=True, slots=True)
class PolicyReader:
    role: Role
    can_access: Callable[[UUID], bool]

    def rules(self, rules: Iterable[Rule], owner_id: UUID) -> tuple[Rule, ...]:
        """Rules for single numbers, and reasons, of an inaccessible workspace are left out."""
        is_own = self.can_access(owner_id)
        found = []
        for rule in rules:
            of_reach = is_own and (rule.copied_from is None or self.can_access(rule.copied_from))
            if of_reach or not names_subscriber(rule):
                found.append(self._shown(rule if is_own else replace(rule, reason=None)))
        return tuple(found)

    def reason(self, reason: str | None) -> str | None:
        return shown_reason(self.role, reason)

    def _shown(self, rule: Rule) -> Rule:
        value = shown_number(self.role, rule.value) if names_subscriber(rule) else rule.value
        return replace(rule, value=value, reason=shown_reason(self.role, rule.reason))


def names_subscriber(rule: Rule) -> bool:
    if rule.kind is RuleKind.NUMBER:
        return True
    return rule.kind is RuleKind.PREFIX and len(rule.value) >= _NEARLY_A_NUMBER


# The command line belongs to the operator, who sees everything.
OPERATOR = PolicyReader(Role.OWNER, lambda _: True)


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
        "rules": [
            {name: value for name, value in rule_json(rule).items() if name in _CONTENT}
            for rule in sorted(live, key=rule_key)
        ],
    }


def rule_content(rule: Rule | WantedRule) -> tuple[str, str, str, str | None, datetime | None]:
    return rule.kind, rule.value, rule.action, rule.reason, rule.expires_at


def rule_key(rule: Rule | WantedRule) -> tuple[str, str]:
    """Unique in a policy."""
    return rule.kind, rule.value


@dataclass(frozen=True, slots=True)
class RulesDifference:
    """Added and removed rules, compared by content."""

    added: tuple[Rule, ...]
    removed: tuple[Rule, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def as_json(self) -> dict[str, Any]:
        return {
            "added": [rule_json(rule) for rule in self.added],
            "removed": [rule_json(rule) for rule in self.removed],
        }

    def seen_by(self, show: Callable[[Iterable[Rule]], tuple[Rule, ...]]) -> "RulesDifference":
        """``show`` masks or leaves out rules."""
        return RulesDifference(show(self.added), show(self.removed))


def rules_difference(before: PolicyState, after: PolicyState) -> RulesDifference:
    old = {rule_content(rule) for rule in before.rules}
    new = {rule_content(rule) for rule in after.rules}
    return RulesDifference(
        added=tuple(rule for rule in after.rules if rule_content(rule) not in old),
        removed=tuple(rule for rule in before.rules if rule_content(rule) not in new),
    )


def load_history(connection: Connection, workspace_id: UUID, wanted: HistoryFilter) -> list[AnyRow]:
    query = select(destination_revisions).where(
        destination_revisions.c.workspace_id == workspace_id
    )
    return load_page(connection, query, destination_revisions, wanted)


def rule_changes(rows: Sequence[AnyRow], reader: PolicyReader) -> dict[int, RulesDifference]:
    """``rows`` are consecutive revisions, newest first."""
    states = [*map(state_of_revision, rows), PolicyState()]
    return {
        row.revision: rules_difference(states[place + 1], states[place]).seen_by(
            lambda rules, owner_id=row.workspace_id: reader.rules(rules, owner_id)  # type: ignore[misc]
        )
        for place, row in enumerate(rows)
    }


def render_revision(row: AnyRow, rules_changed: RulesDifference, reader: PolicyReader) -> Any:
    return RevisionView.write(
        row,
        actor={"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name},
        reason=reader.reason(row.reason),
        rule_changes=rules_changed,
        rules=reader.rules(state_of_revision(row).rules, row.workspace_id),
    )


def write_csv(rows: Sequence[AnyRow], limit: int, reader: PolicyReader) -> str:
    """Write revisions as CSV, one line per changed country; the first has the rule changes."""
    rules_changed = rule_changes(rows, reader)
    text = io.StringIO()
    writer = csv.DictWriter(text, _CSV_COLUMNS)
    writer.writeheader()
    for row in rows[:limit]:
        line = {
            "revision": row.revision,
            "from_revision": row.from_revision,
            "at": rfc3339(row.at),
            "actor_kind": row.actor_kind,
            "actor_name": without_formula(row.actor_name),
            "action": row.action,
            "reason": without_formula(reader.reason(row.reason) or ""),
            "restored_revision": row.restored_revision,
        }
        rules = {"rules": _rules_text(rules_changed[row.revision])}
        for place, change in enumerate(row.changes or [{}]):
            writer.writerow(line | change | ({} if place else rules))
    return text.getvalue()


def _rules_text(changed: RulesDifference) -> str:
    return "; ".join(
        f"{verb} {rule.kind} {rule.value} {rule.action}"
        for verb, rules in (("added", changed.added), ("removed", changed.removed))
        for rule in rules
    )
