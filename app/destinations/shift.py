"""The difference between two policies as numbers see it: pure."""

from dataclasses import dataclass
from datetime import datetime

from app.destinations.policy import Policy, RuleKind, decide
from app.kernel.phone import Destination, NumberKind


@dataclass(frozen=True, slots=True)
class Shift:
    """One policy, the one that would follow it, and the time at which both are asked."""

    before: Policy
    after: Policy
    now: datetime

    def blocks(self, country: str, number: str = "") -> bool:
        """Say whether a number (or, without one, its country at large) would be cut off."""
        to = _destination(country, number)
        return (
            decide(self.before, to, self.now).allowed
            and not decide(self.after, to, self.now).allowed
        )

    def releases(self, country: str) -> bool:
        """Say whether a country at large would become reachable."""
        to = _destination(country, "")
        return (
            not decide(self.before, to, self.now).allowed
            and decide(self.after, to, self.now).allowed
        )

    @property
    def has_finer_rules(self) -> bool:
        """Say whether a country's numbers may fare differently from each other."""
        rules = (*self.before.rules, *self.after.rules)
        return any(rule.kind is not RuleKind.COUNTRY for rule in rules)

    @property
    def prefixes(self) -> frozenset[str]:
        """Return the numbers and prefixes whose rules differ."""
        differing = set(self.before.rules) ^ set(self.after.rules)
        return frozenset(r.value for r in differing if r.kind is not RuleKind.COUNTRY)

    @property
    def countries(self) -> frozenset[str]:
        """Return the countries whose map entries or country rules differ."""
        one, other = self.before.destinations, self.after.destinations
        mapped = {code for code in one.keys() | other.keys() if one.get(code) != other.get(code)}
        differing = set(self.before.rules) ^ set(self.after.rules)
        return frozenset(mapped | {r.value for r in differing if r.kind is RuleKind.COUNTRY})


def _destination(country: str, number: str) -> Destination:
    return Destination(number, True, country, NumberKind.MOBILE, True)
