"""The rules and reasons of a policy that a reader may see. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from app.access.principal import Role, shown_number, shown_reason
from app.destinations.policy.evaluate import Rule, RuleKind

# A prefix of this length identifies few subscribers.
_NEARLY_A_NUMBER = 11


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
