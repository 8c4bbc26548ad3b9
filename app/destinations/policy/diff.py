"""The difference between two policies. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from app.destinations.policy.evaluate import Policy, Rule, RuleKind, decide
from app.kernel.number_prefixes import next_prefix
from app.kernel.phone import Destination, NumberKind

# An E.164 number has 15 digits at most.
_AFTER_ALL_NUMBERS = "+" + "9" * 16


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    before: Policy
    after: Policy
    now: datetime

    def blocks(self, country: str, number: str = "") -> bool:
        """Whether a number, or a country as a whole, would be newly blocked."""
        to = _destination(country, number)
        return (
            decide(self.before, to, self.now).allowed
            and not decide(self.after, to, self.now).allowed
        )

    def releases(self, country: str) -> bool:
        """Whether a country as a whole would be newly allowed."""
        to = _destination(country, "")
        return (
            not decide(self.before, to, self.now).allowed
            and decide(self.after, to, self.now).allowed
        )

    def number_ranges(self) -> list[tuple[str, str]]:
        """Return disjoint ranges of numbers, each from a first number to one above the last.

        The numbers in a range match the same rules for prefixes and numbers. The ranges cover
        what differs: the numbers of each changed rule, or of all rules if countries changed.
        """
        before, after = _finer(self.before), _finer(self.after)
        covered = {rule.value for rule in (before | after if self.countries else before ^ after)}
        bounds = sorted({bound for rule in before | after for bound in _bounds(rule)})
        return [
            (first, above)
            for first, above in pairwise(bounds)
            if any(first[:length] in covered for length in range(len(first) + 1))
        ]

    @property
    def countries(self) -> frozenset[str]:
        one, other = self.before.destinations, self.after.destinations
        mapped = {code for code in one.keys() | other.keys() if one.get(code) != other.get(code)}
        differing = set(self.before.rules) ^ set(self.after.rules)
        return frozenset(mapped | {r.value for r in differing if r.kind is RuleKind.COUNTRY})


def _finer(policy: Policy) -> frozenset[Rule]:
    return frozenset(rule for rule in policy.rules if rule.kind is not RuleKind.COUNTRY)


def _bounds(rule: Rule) -> Iterator[str]:
    """Yield the texts at which another set of rules may begin to match."""
    yield rule.value
    if rule.kind is RuleKind.NUMBER:
        yield rule.value + "0"
    yield next_prefix(rule.value) or _AFTER_ALL_NUMBERS


def _destination(country: str, number: str) -> Destination:
    return Destination(number, True, country, NumberKind.MOBILE, True)
