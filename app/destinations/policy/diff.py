"""The difference between two policies. Pure."""

from dataclasses import dataclass
from datetime import datetime

from app.destinations.policy.evaluate import Policy, Rule, RuleKind, decide
from app.kernel.phone import Destination, NumberKind


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

    @property
    def finer_rules(self) -> tuple[Rule, ...]:
        """The rules for numbers and prefixes."""
        rules = (*self.before.rules, *self.after.rules)
        return tuple(rule for rule in rules if rule.kind is not RuleKind.COUNTRY)

    @property
    def prefixes(self) -> frozenset[str]:
        differing = set(self.before.rules) ^ set(self.after.rules)
        return frozenset(r.value for r in differing if r.kind is not RuleKind.COUNTRY)

    @property
    def countries(self) -> frozenset[str]:
        one, other = self.before.destinations, self.after.destinations
        mapped = {code for code in one.keys() | other.keys() if one.get(code) != other.get(code)}
        differing = set(self.before.rules) ^ set(self.after.rules)
        return frozenset(mapped | {r.value for r in differing if r.kind is RuleKind.COUNTRY})


class NewlyBlocked:
    """Tests numbers; those that match the same rules share a cached result."""

    def __init__(self, diff: PolicyDiff) -> None:
        self._shift = diff
        rules = diff.finer_rules
        self._values = frozenset(rule.value for rule in rules)
        self._numbers = frozenset(r.value for r in rules if r.kind is RuleKind.NUMBER)
        self._lengths = sorted(set(map(len, self._values)))
        self._known: dict[tuple[object, ...], bool] = {}

    def __call__(self, country: str, number: str = "") -> bool:
        """As `PolicyDiff.blocks`."""
        heads = [number[:length] for length in self._lengths]
        speaking = [head for head in heads if head in self._values]
        alike = (country, number in self._numbers, *speaking)
        if alike not in self._known:
            self._known[alike] = self._shift.blocks(country, number)
        return self._known[alike]


def _destination(country: str, number: str) -> Destination:
    return Destination(number, True, country, NumberKind.MOBILE, True)
