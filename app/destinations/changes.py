"""The changes of a policy, each a class that checks and applies itself."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from uuid import UUID

from sqlalchemy import Connection, select, true

from app.access.tables import workspaces
from app.destinations.manage import CurrentPolicy, PolicyChange
from app.destinations.policy.evaluate import RULE_KINDS, Access, Rule, RuleKind
from app.destinations.policy.state import (
    FieldProblems,
    PolicyState,
    add_rules,
    merged,
    problems_of_list,
    problems_of_map,
    problems_of_rule,
    replace_map,
    restored,
    set_countries,
)
from app.destinations.storage.policies import EffectivePolicy, load_revision, state_of_revision
from app.destinations.tables import provider_permissions
from app.kernel.errors import NotFound
from app.kernel.ids import new_id

_PASSED = "Has already passed."
HIGH_RISK = "The provider calls this country high-risk: name it in acknowledge_high_risk."
OPENS_HIGH_RISK = "Opens {}, which the provider calls high-risk: name it in acknowledge_high_risk."


def unacknowledged(
    connection: Connection,
    before: EffectivePolicy,
    codes: Sequence[str],
    acknowledged: Collection[str],
    *,
    always: bool = False,
) -> set[str]:
    """Return the newly allowed high-risk countries without acknowledgement.

    ``always``: even if the workspace does not require it.
    """
    new = {code for code in codes if before.state.destinations.get(code) != Access.ALLOWED}
    wanted = new - set(acknowledged)
    if not wanted:
        return set()
    query = (
        select(provider_permissions.c.country)
        .join(workspaces, workspaces.c.account_sid == provider_permissions.c.account_sid)
        .where(
            workspaces.c.id == before.workspace_id,
            true() if always else workspaces.c.acknowledges_high_risk,
            provider_permissions.c.is_high_risk,
            provider_permissions.c.country.in_(wanted),
        )
    )
    return set(connection.execute(query).scalars())


def risks_of_rules(
    connection: Connection,
    before: EffectivePolicy,
    rules: Sequence[Rule],
    acknowledged: Collection[str],
) -> list[list[str]]:
    """Return, for each rule, the problems of the countries that it opens unacknowledged."""
    opened = [_opened_countries(rule) for rule in rules]
    risky = unacknowledged(connection, before, list(chain(*opened)), acknowledged)
    return [
        [_text_of_risk(rule).format(code) for code in sorted(risky.intersection(codes))]
        for rule, codes in zip(rules, opened, strict=True)
    ]


def _opened_countries(rule: Rule) -> Collection[str]:
    # One number opens no country.
    if rule.action is not Access.ALLOWED or rule.kind is RuleKind.NUMBER:
        return ()
    return RULE_KINDS[rule.kind].countries(rule.value)


def _text_of_risk(rule: Rule) -> str:
    return HIGH_RISK if rule.kind is RuleKind.COUNTRY else OPENS_HIGH_RISK


@dataclass(frozen=True, slots=True)
class ReplaceMap(PolicyChange):
    """Replace the country map; high-risk countries may need an acknowledgement."""

    wanted: Mapping[str, str]
    acknowledged: Collection[str] = ()
    action = "replaced"

    def check(self, current: CurrentPolicy) -> FieldProblems:
        allowed = [code for code, access in self.wanted.items() if access == Access.ALLOWED]
        risky = unacknowledged(current.connection, current.effective, allowed, self.acknowledged)
        risks = {f"$.destinations.{code}": [HIGH_RISK] for code in risky}
        return merged(risks, problems_of_map(self.wanted, current.denied))

    def apply(self, current: CurrentPolicy) -> PolicyState:
        return replace_map(current.state, self.wanted)


@dataclass(frozen=True, slots=True)
class AllowCountries(PolicyChange):
    """Allow countries, for good or by a rule for each that ends by itself."""

    codes: Sequence[str]
    acknowledged: Collection[str] = ()
    until: datetime | None = None
    reason: str | None = None

    @property
    def action(self) -> str:
        return "allowed" if self.until is None else "allowed_until"

    def check(self, current: CurrentPolicy) -> FieldProblems:
        risky = unacknowledged(current.connection, current.effective, self.codes, self.acknowledged)
        places = (place for place, code in enumerate(self.codes) if code in risky)
        found: FieldProblems = {f"$.destinations[{place}]": [HIGH_RISK] for place in places}
        if self.until is not None and self.until <= current.now:
            found["$.until"] = [_PASSED]
        return merged(found, problems_of_list(self.codes, Access.ALLOWED, current.denied))

    def apply(self, current: CurrentPolicy) -> PolicyState:
        if self.until is None:
            return set_countries(current.state, self.codes, Access.ALLOWED)
        return _allow_until(
            current.state, dict.fromkeys(self.codes, self.until), self.reason, current.now
        )


@dataclass(frozen=True, slots=True)
class BlockCountries(PolicyChange):
    codes: Sequence[str]
    action = "blocked"

    def check(self, current: CurrentPolicy) -> FieldProblems:
        return problems_of_list(self.codes, Access.BLOCKED, current.denied)

    def apply(self, current: CurrentPolicy) -> PolicyState:
        return set_countries(current.state, self.codes, Access.BLOCKED)


@dataclass(frozen=True, slots=True)
class AddRule(PolicyChange):
    """A rule that opens a high-risk country needs its acknowledgement."""

    rule: Rule
    acknowledged: Collection[str] = ()
    action = "rule_added"

    @property
    def why(self) -> str | None:
        return self.rule.reason

    def check(self, current: CurrentPolicy) -> FieldProblems:
        of_it = current.connection, current.effective, [self.rule], self.acknowledged
        (found,) = risks_of_rules(*of_it)
        risks = {"$.value": found} if found else {}
        return merged(risks, problems_of_rule(self.rule, current.denied, current.now))

    def apply(self, current: CurrentPolicy) -> PolicyState:
        return add_rules(current.state, [self.rule])

    def stored_in(self, after: PolicyState) -> Rule:
        return after.rule_for(self.rule.kind, self.rule.value) or self.rule


@dataclass(frozen=True, slots=True)
class RemoveRule(PolicyChange):
    """Raises `NotFound`."""

    rule_id: UUID
    action = "rule_removed"

    def apply(self, current: CurrentPolicy) -> PolicyState:
        kept = tuple(rule for rule in current.effective.state.rules if rule.rule_id != self.rule_id)
        if len(kept) == len(current.effective.state.rules):
            raise NotFound
        return replace(current.state, rules=kept)


@dataclass(frozen=True, slots=True)
class RestoreRevision(PolicyChange):
    """The organization's denied destinations stay denied. Raises `NotFound`."""

    revision: int
    action = "restored"

    @property
    def restores(self) -> int | None:
        return self.revision

    def apply(self, current: CurrentPolicy) -> PolicyState:
        row = load_revision(current.connection, current.effective.workspace_id, self.revision)
        snapshot = state_of_revision(row)
        inherits = snapshot.inherits and current.effective.parent_id is not None
        return restored(replace(snapshot, inherits=inherits), current.now)


@dataclass(frozen=True, slots=True)
class SetInheritance(PolicyChange):
    """Inherit, or start an own policy from a copy of the parent's."""

    inherit: bool
    while_inheriting = True

    @property
    def action(self) -> str:
        return "inheritance_on" if self.inherit else "inheritance_off"

    def check(self, current: CurrentPolicy) -> FieldProblems:
        if self.inherit and current.effective.parent_id is None:
            return {"$.inherit": ["This workspace has no parent to inherit from."]}
        return {}

    def apply(self, current: CurrentPolicy) -> PolicyState:
        if self.inherit or not current.effective.inherits:
            return replace(current.state, inherits=self.inherit)
        copies = tuple(
            replace(
                rule, rule_id=new_id(), copied_from=rule.copied_from or current.effective.owner_id
            )
            for rule in current.effective.state.rules
        )
        return replace(current.effective.state, rules=copies, inherits=False)


@dataclass(frozen=True, slots=True)
class Adjustment:
    allow: Collection[str] = ()
    allow_until: Mapping[str, datetime] = field(default_factory=dict)
    block: Collection[str] = ()

    @property
    def opened(self) -> list[str]:
        return list(dict.fromkeys([*self.allow, *self.allow_until]))

    @property
    def action(self) -> str:
        """The action for the history: the kind of change if there is only one."""
        kinds = {"allowed": self.allow, "allowed_until": self.allow_until, "blocked": self.block}
        used = [name for name, pending_changes in kinds.items() if pending_changes]
        return used[0] if len(used) == 1 else "adjusted"


@dataclass(frozen=True, slots=True)
class Adjust(PolicyChange):
    """Make an adjustment in one revision; the path of a problem names its country.

    ``reason`` is kept with the rules of temporary allowances. ``acknowledged`` are high-risk
    countries acknowledged by name; None skips the check.
    """

    wanted: Adjustment
    reason: str | None
    acknowledged: Collection[str] | None = None

    @property
    def action(self) -> str:
        return self.wanted.action

    def check(self, current: CurrentPolicy) -> FieldProblems:
        wanted, found = self.wanted, FieldProblems()
        if self.acknowledged is not None:
            of_it = current.connection, current.effective, wanted.opened, self.acknowledged
            for code in sorted(unacknowledged(*of_it, always=True)):
                found[f"$.destinations.{code}"] = [HIGH_RISK]
        for code, until in wanted.allow_until.items():
            if until <= current.now:
                found = merged(found, {f"$.destinations.{code}": [_PASSED]})
        accesses = dict.fromkeys(wanted.opened, Access.ALLOWED.value)
        accesses |= dict.fromkeys(wanted.block, Access.BLOCKED.value)
        return merged(found, problems_of_map(accesses, current.denied))

    def apply(self, current: CurrentPolicy) -> PolicyState:
        state = set_countries(current.state, self.wanted.allow, Access.ALLOWED)
        state = set_countries(state, self.wanted.block, Access.BLOCKED)
        return _allow_until(state, self.wanted.allow_until, self.reason, current.now)


def _allow_until(
    state: PolicyState, ends: Mapping[str, datetime], reason: str | None, now: datetime
) -> PolicyState:
    kind, access = RuleKind.COUNTRY, Access.ALLOWED
    rules = (Rule(new_id(), kind, code, access, end, reason, now) for code, end in ends.items())
    return add_rules(state, rules)
