"""Several changes of countries as one revision: allow, allow temporarily, block."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select, true

from app.access.tables import workspaces
from app.destinations.manage import PolicyChange
from app.destinations.policy.evaluate import Access, Rule, RuleKind
from app.destinations.policy.state import (
    Edit,
    FieldProblems,
    PolicyState,
    add_rules,
    follow_parent,
    merged,
    problems_of_list,
    problems_of_map,
    problems_of_rule,
    replace_map,
    restored,
    set_countries,
    start_from,
    without_rule,
)
from app.destinations.storage.policies import EffectivePolicy, load_revision, state_of_revision
from app.destinations.tables import provider_permissions
from app.kernel.errors import NotFound
from app.kernel.ids import new_id

HIGH_RISK = "The provider calls this country high-risk: name it in acknowledge_high_risk."


def unacknowledged(
    connection: Connection,
    before: EffectivePolicy,
    codes: Sequence[str],
    acknowledged: Collection[str],
    *,
    always: bool = False,
) -> set[str]:
    """Return the newly allowed countries that still need an acknowledgement.

    ``always`` requires it even if the workspace does not.
    """
    new = {code for code in codes if before.state.destinations.get(code) != Access.ALLOWED}
    wanted = new - set(acknowledged)
    if not wanted:
        return set()
    asks = true() if always else workspaces.c.acknowledges_high_risk
    query = (
        select(provider_permissions.c.country)
        .join(workspaces, workspaces.c.account_sid == provider_permissions.c.account_sid)
        .where(
            workspaces.c.id == before.workspace_id,
            asks,
            provider_permissions.c.is_high_risk,
            provider_permissions.c.country.in_(wanted),
        )
    )
    return set(connection.execute(query).scalars())


def replace_all(wanted: Mapping[str, str], acknowledged: Collection[str] = ()) -> PolicyChange:
    """Overwrite the whole country map; high-risk countries may want an acknowledgement."""

    def problems(connection: Connection, before: EffectivePolicy) -> FieldProblems:
        allowed = [code for code, access in wanted.items() if access == Access.ALLOWED]
        risky = unacknowledged(connection, before, allowed, acknowledged)
        risks = {f"$.destinations.{code}": [HIGH_RISK] for code in risky}
        return merged(risks, problems_of_map(wanted, before.denied_by_organization))

    return PolicyChange(action="replaced", edit=lambda *_: replace_map(wanted), problems=problems)


def allow(codes: Sequence[str], acknowledged: Collection[str] = ()) -> PolicyChange:
    """Allow countries for good; high-risk ones may want an acknowledgement."""
    return PolicyChange(
        action="allowed",
        edit=lambda *_: set_countries(codes, Access.ALLOWED),
        problems=_problems_of_allowing(codes, acknowledged),
    )


def block(codes: Sequence[str]) -> PolicyChange:
    """Block countries."""
    return PolicyChange(
        action="blocked",
        edit=lambda *_: set_countries(codes, Access.BLOCKED),
        problems=lambda _, before: problems_of_list(
            codes, Access.BLOCKED, before.denied_by_organization
        ),
    )


def allow_until(
    codes: Sequence[str],
    until: datetime,
    reason: str | None,
    now: datetime,
    *,
    acknowledged: Collection[str] = (),
) -> PolicyChange:
    """Allow countries for a time, by a rule for each that ends by itself."""
    rules = [
        Rule(new_id(), RuleKind.COUNTRY, code, Access.ALLOWED, until, reason, now)
        for code in dict.fromkeys(codes)
    ]

    def problems(connection: Connection, before: EffectivePolicy) -> FieldProblems:
        late: FieldProblems = {"$.until": ["Has already passed."]} if until <= now else {}
        return merged(late, _problems_of_allowing(codes, acknowledged)(connection, before))

    return PolicyChange(
        action="allowed_until",
        edit=lambda *_: add_rules(rules),
        problems=problems,
        reason=reason,
    )


def _problems_of_allowing(
    codes: Sequence[str], acknowledged: Collection[str]
) -> Callable[[Connection, EffectivePolicy], FieldProblems]:
    def problems(connection: Connection, before: EffectivePolicy) -> FieldProblems:
        risky = unacknowledged(connection, before, codes, acknowledged)
        risks = {
            f"$.destinations[{place}]": [HIGH_RISK]
            for place, code in enumerate(codes)
            if code in risky
        }
        return merged(risks, problems_of_list(codes, Access.ALLOWED, before.denied_by_organization))

    return problems


def add_rule(rule: Rule, now: datetime, acknowledged: Collection[str] = ()) -> PolicyChange:
    """Add a rule for a number, a prefix or a country; a high-risk country as in `allow`."""

    def problems(connection: Connection, before: EffectivePolicy) -> FieldProblems:
        opens = rule.kind is RuleKind.COUNTRY and rule.action is Access.ALLOWED
        codes = [rule.value] if opens else []
        risky = unacknowledged(connection, before, codes, acknowledged)
        risks: FieldProblems = {"$.value": [HIGH_RISK]} if risky else {}
        return merged(risks, problems_of_rule(rule, before.denied_by_organization, now))

    return PolicyChange(
        action="rule_added",
        edit=lambda *_: add_rules([rule]),
        problems=problems,
        reason=rule.reason,
    )


def drop_rule(rule_id: UUID) -> PolicyChange:
    """Remove a rule; `NotFound` if there is none."""

    def edit(_: Connection, before: EffectivePolicy) -> Edit:
        if all(rule.rule_id != rule_id for rule in before.state.rules):
            raise NotFound
        return without_rule(rule_id)

    return PolicyChange(action="rule_removed", edit=edit)


def restore_policy(revision: int, now: datetime) -> PolicyChange:
    """Restore the policy of a revision; `NotFound` if there is none.

    The organization's denied destinations stay denied.
    """

    def edit(connection: Connection, before: EffectivePolicy) -> Edit:
        snapshot = state_of_revision(load_revision(connection, before.workspace_id, revision))
        return restored(replace(snapshot, inherits=snapshot.inherits and _has_parent(before)), now)

    return PolicyChange(action="restored", edit=edit, restored=revision)


def change_inheritance(*, inherit: bool) -> PolicyChange:
    """Follow the parent from now on, or decide alone beginning with a copy of its policy."""

    def edit(_: Connection, before: EffectivePolicy) -> Edit:
        if inherit:
            return follow_parent()
        if not before.inherits:
            return lambda state: state
        copies = tuple(
            replace(rule, rule_id=new_id(), copied_from=rule.copied_from or before.owner_id)
            for rule in before.state.rules
        )
        return start_from(replace(before.state, rules=copies))

    def problems(_: Connection, before: EffectivePolicy) -> FieldProblems:
        if inherit and not _has_parent(before):
            return {"$.inherit": ["This workspace has no parent to inherit from."]}
        return {}

    action = "inheritance_on" if inherit else "inheritance_off"
    return PolicyChange(action=action, edit=edit, problems=problems, while_inheriting=True)


def _has_parent(effective: EffectivePolicy) -> bool:
    return effective.parent_id is not None


_PASSED = "Has already passed."


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Which countries to allow for good, until when others, and which to block."""

    allow: Collection[str] = ()
    allow_until: Mapping[str, datetime] = field(default_factory=dict)
    block: Collection[str] = ()

    @property
    def opened(self) -> list[str]:
        """Return the countries that are to be allowed, for good or for a time."""
        return list(dict.fromkeys([*self.allow, *self.allow_until]))

    @property
    def action(self) -> str:
        """Return the action for the history: the kind of change if there is only one."""
        kinds = {"allowed": self.allow, "allowed_until": self.allow_until, "blocked": self.block}
        used = [name for name, pending_changes in kinds.items() if pending_changes]
        return used[0] if len(used) == 1 else "adjusted"


def adjust(
    wanted: Adjustment,
    reason: str | None,
    now: datetime,
    acknowledged: Collection[str] | None = None,
) -> PolicyChange:
    """Apply an adjustment in one revision; the path of a problem names its country.

    Args:
        wanted: the countries to allow and to block.
        reason: kept with the rules of temporary allowances.
        now: the time that expiries are compared with.
        acknowledged: high-risk countries acknowledged by name; None skips the check.
    """

    def edit(*_: object) -> Edit:
        rules = [
            Rule(new_id(), RuleKind.COUNTRY, code, Access.ALLOWED, until, reason, now)
            for code, until in wanted.allow_until.items()
        ]
        steps = (
            set_countries(wanted.allow, Access.ALLOWED),
            set_countries(wanted.block, Access.BLOCKED),
            add_rules(rules),
        )

        def apply(state: PolicyState) -> PolicyState:
            for step in steps:
                state = step(state)
            return state

        return apply

    def problems(connection: Connection, before: EffectivePolicy) -> FieldProblems:
        found: FieldProblems = {}
        if acknowledged is not None:
            risky = unacknowledged(connection, before, wanted.opened, acknowledged, always=True)
            found = {f"$.destinations.{code}": [HIGH_RISK] for code in sorted(risky)}
        for code, until in wanted.allow_until.items():
            if until <= now:
                found = merged(found, {f"$.destinations.{code}": [_PASSED]})
        accesses = dict.fromkeys(wanted.opened, Access.ALLOWED.value)
        blocked = dict.fromkeys(wanted.block, Access.BLOCKED.value)
        return merged(
            found, problems_of_map({**accesses, **blocked}, before.denied_by_organization)
        )

    return PolicyChange(action=wanted.action, edit=edit, problems=problems)
