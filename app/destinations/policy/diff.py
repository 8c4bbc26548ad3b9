"""The difference between two policies. Pure."""

from dataclasses import dataclass
from datetime import datetime

from app.destinations.policy.evaluate import Policy, Rule, RuleKind, decide
from app.kernel.phone import Destination, NumberKind


@dataclass(frozen=True, slots=True)
class PolicyDiff:
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
    def finer_rules(self) -> tuple[Rule, ...]:
        """Return the rules that give numbers of one country different results."""
        rules = (*self.before.rules, *self.after.rules)
        return tuple(rule for rule in rules if rule.kind is not RuleKind.COUNTRY)

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


class NewlyBlocked:
    """Tests many numbers for being newly blocked.

    Numbers in one country that match the same rules get the same result, so one is evaluated and
    the result is cached.
    """

    def __init__(self, diff: PolicyDiff) -> None:
        self._shift = diff
        rules = diff.finer_rules
        self._values = frozenset(rule.value for rule in rules)
        self._numbers = frozenset(r.value for r in rules if r.kind is RuleKind.NUMBER)
        self._lengths = sorted(set(map(len, self._values)))
        self._known: dict[tuple[object, ...], bool] = {}

    def __call__(self, country: str, number: str = "") -> bool:
        """Say whether a number (or, without one, its country at large) would be cut off."""
        heads = [number[:length] for length in self._lengths]
        speaking = [head for head in heads if head in self._values]
        alike = (country, number in self._numbers, *speaking)
        if alike not in self._known:
            self._known[alike] = self._shift.blocks(country, number)
        return self._known[alike]


def _destination(country: str, number: str) -> Destination:
    return Destination(number, True, country, NumberKind.MOBILE, True)
