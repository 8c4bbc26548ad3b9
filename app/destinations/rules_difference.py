"""The difference between the rules of two policies. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from app.destinations.document import content_of
from app.destinations.policy import Rule
from app.destinations.state import PolicyState
from app.destinations.store import rule_json


@dataclass(frozen=True, slots=True)
class RulesDifference:
    """Rules that came and went; one that says the same as before did neither."""

    added: tuple[Rule, ...]
    removed: tuple[Rule, ...]

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.added or self.removed)

    def as_json(self) -> dict[str, Any]:
        """Write both lists in the words of the API."""
        return {
            "added": [rule_json(rule) for rule in self.added],
            "removed": [rule_json(rule) for rule in self.removed],
        }

    def seen_by(self, show: Callable[[Iterable[Rule]], tuple[Rule, ...]]) -> "RulesDifference":
        """Return the difference as a reader sees it; ``show`` masks or leaves out rules."""
        return RulesDifference(show(self.added), show(self.removed))


def rules_difference(before: PolicyState, after: PolicyState) -> RulesDifference:
    """Compare the rules of two policies by their content, not their ids."""
    old = {content_of(rule) for rule in before.rules}
    new = {content_of(rule) for rule in after.rules}
    return RulesDifference(
        added=tuple(rule for rule in after.rules if content_of(rule) not in old),
        removed=tuple(rule for rule in before.rules if content_of(rule) not in new),
    )
