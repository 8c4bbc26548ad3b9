"""Layers of a policy as they may stand in the database, written past every check."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st

from app.access.tables import organizations, workspaces
from app.destinations.policy.evaluate import Access, Policy, Rule, RuleKind
from app.destinations.tables import destination_policies, destination_rules
from app.kernel.ids import new_id
from app.use_cases.tables import use_cases
from support.destinations import PolicyClient

PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
# One calling code, several countries; one country, several calling codes' neighbours.
NUMBERS = {
    "US": "+12025550123",
    "PR": "+17875550123",
    "CA": "+12505550199",
    "GG": "+447911123456",
    "GB": "+447400123456",
    "KZ": "+77012345678",
    "BR": "+5511961234567",
}
COUNTRIES = sorted(NUMBERS)


@dataclass(frozen=True)
class Stack:
    """The layers over one number, as they may stand in the database."""

    denied_by_organization: frozenset[str]
    parent: dict[str, str]
    own: dict[str, str]
    inherits: bool
    rules: tuple[Rule, ...]
    use_case: frozenset[str] | None
    country: str

    @property
    def number(self) -> str:
        return NUMBERS[self.country]

    @property
    def policy(self) -> Policy:
        decisive = self.parent if self.inherits else self.own
        return Policy(1, decisive, self.denied_by_organization, self.rules, self.use_case)

    @property
    def is_forbidden_by_a_stricter_layer(self) -> bool:
        outside = self.use_case is not None and self.country not in self.use_case
        return self.country in self.denied_by_organization or outside


def _rule(kind: RuleKind, country: str, length: int, action: Access, ends: Any) -> Rule:
    number = NUMBERS[country]
    value = {RuleKind.COUNTRY: country, RuleKind.PREFIX: number[:length]}.get(kind, number)
    return Rule(new_id(), kind, value, action, ends)


_country = st.sampled_from(COUNTRIES)
maps = st.dictionaries(_country, st.sampled_from([a.value for a in Access]), max_size=5)
rules = st.builds(
    _rule,
    st.sampled_from([RuleKind.COUNTRY, RuleKind.PREFIX, RuleKind.NUMBER]),
    _country,
    st.integers(2, 12),
    st.sampled_from(Access),
    st.sampled_from([None, PAST, FUTURE]),
)
stacks = st.builds(
    Stack,
    denied_by_organization=st.frozensets(_country, max_size=4),
    parent=maps,
    own=maps,
    inherits=st.booleans(),
    rules=st.lists(rules, max_size=5, unique_by=lambda rule: (rule.kind, rule.value)).map(tuple),
    use_case=st.none() | st.frozensets(_country, max_size=4),
    country=_country,
)
bounded = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def lay(policy: PolicyClient, parent: PolicyClient, stack: Stack) -> None:
    """Write a stack into the tables as it is, past every check."""
    factory, own = policy.factory, policy.tenant
    factory.set(
        organizations, own.organization_id, denied_destinations=sorted(stack.denied_by_organization)
    )
    factory.set(workspaces, own.workspace_id, inherits_destinations=stack.inherits)
    allowed = None if stack.use_case is None else sorted(stack.use_case)
    factory.set(use_cases, own.use_case_id, allowed_destinations=allowed)
    owner = parent if stack.inherits else policy
    with factory.database.writing() as c:
        for found, destinations in ((policy, stack.own), (parent, stack.parent)):
            of = destination_policies.c.workspace_id == found.tenant.workspace_id
            c.execute(destination_policies.update().where(of).values(destinations=destinations))
            of_rules = destination_rules.c.workspace_id == found.tenant.workspace_id
            c.execute(destination_rules.delete().where(of_rules))
        for rule in stack.rules:
            c.execute(
                destination_rules.insert().values(
                    id=new_id(),
                    workspace_id=owner.tenant.workspace_id,
                    kind=rule.kind.value,
                    value=rule.value,
                    action=rule.action.value,
                    expires_at=rule.expires_at,
                    created_at=factory.now,
                )
            )
