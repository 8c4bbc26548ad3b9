"""What a reader of a policy sees of its rules and of their reasons. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from app.access.principal import Role, shown_number, shown_reason
from app.destinations.policy.evaluate import Rule, RuleKind

# A prefix of so many characters names a handful of subscribers, if not one.
_NEARLY_A_NUMBER = 11


@dataclass(frozen=True, slots=True)
class PolicyReader:
    """Who reads the policy of a workspace, and of which workspaces it may read the rules."""

    role: Role
    can_access: Callable[[UUID], bool]

    def rules(self, rules: Iterable[Rule], owner_id: UUID) -> tuple[Rule, ...]:
        """Return the rules of a workspace's policy as this reader sees them.

        Rules for single numbers, and all reasons, of a workspace out of reach are left out.
        """
        is_own = self.can_access(owner_id)
        found = []
        for rule in rules:
            of_reach = is_own and (rule.copied_from is None or self.can_access(rule.copied_from))
            if of_reach or not names_subscriber(rule):
                found.append(self._shown(rule if is_own else replace(rule, reason=None)))
        return tuple(found)

    def reason(self, reason: str | None) -> str | None:
        """Return the reason of a change as this reader sees it."""
        return shown_reason(self.role, reason)

    def _shown(self, rule: Rule) -> Rule:
        value = shown_number(self.role, rule.value) if names_subscriber(rule) else rule.value
        return replace(rule, value=value, reason=shown_reason(self.role, rule.reason))


def names_subscriber(rule: Rule) -> bool:
    """Say whether a rule names a subscriber, or so few that its value tells who."""
    if rule.kind is RuleKind.NUMBER:
        return True
    return rule.kind is RuleKind.PREFIX and len(rule.value) >= _NEARLY_A_NUMBER


# The command line belongs to the operator, who sees everything.
OPERATOR = PolicyReader(Role.OWNER, lambda _: True)
