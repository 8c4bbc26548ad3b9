"""Every change of a policy, with its action in the history."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.destinations.high_risk import HIGH_RISK, unacknowledged
from app.destinations.history import load_revision
from app.destinations.load import Effective
from app.destinations.manage import Change
from app.destinations.policy import Access, Rule, RuleKind
from app.destinations.problems import (
    Problems,
    merged,
    problems_of_list,
    problems_of_map,
    problems_of_rule,
)
from app.destinations.state import (
    Edit,
    add_rules,
    follow_parent,
    remove_rule,
    replace_map,
    restore,
    set_countries,
    start_from,
)
from app.destinations.store import state_of_revision
from app.kernel.errors import NotFound
from app.kernel.ids import new_id


def replace_all(wanted: Mapping[str, str], acknowledged: Collection[str] = ()) -> Change:
    """Overwrite the whole country map; high-risk countries may want an acknowledgement."""

    def problems(connection: Connection, before: Effective) -> Problems:
        allowed = [code for code, access in wanted.items() if access == Access.ALLOWED]
        risky = unacknowledged(connection, before, allowed, acknowledged)
        risks = {f"$.destinations.{code}": [HIGH_RISK] for code in risky}
        return merged(risks, problems_of_map(wanted, before.floor))

    return Change(action="replaced", edit=lambda *_: replace_map(wanted), problems=problems)


def allow(codes: Sequence[str], acknowledged: Collection[str] = ()) -> Change:
    """Allow countries for good; high-risk ones may want an acknowledgement."""
    return Change(
        action="allowed",
        edit=lambda *_: set_countries(codes, Access.ALLOWED),
        problems=_problems_of_allowing(codes, acknowledged),
    )


def block(codes: Sequence[str]) -> Change:
    """Block countries."""
    return Change(
        action="blocked",
        edit=lambda *_: set_countries(codes, Access.BLOCKED),
        problems=lambda _, before: problems_of_list(codes, Access.BLOCKED, before.floor),
    )


def allow_until(
    codes: Sequence[str],
    until: datetime,
    reason: str | None,
    now: datetime,
    *,
    acknowledged: Collection[str] = (),
) -> Change:
    """Allow countries for a time, by a rule for each that ends by itself."""
    rules = [
        Rule(new_id(), RuleKind.COUNTRY, code, Access.ALLOWED, until, reason, now)
        for code in dict.fromkeys(codes)
    ]

    def problems(connection: Connection, before: Effective) -> Problems:
        late: Problems = {"$.until": ["Has already passed."]} if until <= now else {}
        return merged(late, _problems_of_allowing(codes, acknowledged)(connection, before))

    return Change(
        action="allowed_until",
        edit=lambda *_: add_rules(rules),
        problems=problems,
        reason=reason,
    )


def _problems_of_allowing(
    codes: Sequence[str], acknowledged: Collection[str]
) -> Callable[[Connection, Effective], Problems]:
    def problems(connection: Connection, before: Effective) -> Problems:
        risky = unacknowledged(connection, before, codes, acknowledged)
        risks = {
            f"$.destinations[{place}]": [HIGH_RISK]
            for place, code in enumerate(codes)
            if code in risky
        }
        return merged(risks, problems_of_list(codes, Access.ALLOWED, before.floor))

    return problems


def add_rule(rule: Rule, now: datetime, acknowledged: Collection[str] = ()) -> Change:
    """Add a rule for a number, a prefix or a country; a high-risk country as in `allow`."""

    def problems(connection: Connection, before: Effective) -> Problems:
        opens = rule.kind is RuleKind.COUNTRY and rule.action is Access.ALLOWED
        codes = [rule.value] if opens else []
        risky = unacknowledged(connection, before, codes, acknowledged)
        risks: Problems = {"$.value": [HIGH_RISK]} if risky else {}
        return merged(risks, problems_of_rule(rule, before.floor, now))

    return Change(
        action="rule_added",
        edit=lambda *_: add_rules([rule]),
        problems=problems,
        reason=rule.reason,
    )


def drop_rule(rule_id: UUID) -> Change:
    """Remove a rule; `NotFound` if there is none."""

    def edit(_: Connection, before: Effective) -> Edit:
        if all(rule.rule_id != rule_id for rule in before.state.rules):
            raise NotFound
        return remove_rule(rule_id)

    return Change(action="rule_removed", edit=edit)


def restore_revision(revision: int, now: datetime) -> Change:
    """Restore the policy of a revision; `NotFound` if there is none.

    The organization's denied destinations stay denied.
    """

    def edit(connection: Connection, before: Effective) -> Edit:
        snapshot = state_of_revision(load_revision(connection, before.workspace_id, revision))
        return restore(replace(snapshot, inherits=snapshot.inherits and _has_parent(before)), now)

    return Change(action="restored", edit=edit)


def set_inheritance(*, inherit: bool) -> Change:
    """Follow the parent from now on, or decide alone beginning with a copy of its policy."""

    def edit(_: Connection, before: Effective) -> Edit:
        if inherit:
            return follow_parent()
        if not before.inherits:
            return lambda state: state
        copies = tuple(
            replace(rule, rule_id=new_id(), copied_from=rule.copied_from or before.owner_id)
            for rule in before.state.rules
        )
        return start_from(replace(before.state, rules=copies))

    def problems(_: Connection, before: Effective) -> Problems:
        if inherit and not _has_parent(before):
            return {"$.inherit": ["This workspace has no parent to inherit from."]}
        return {}

    action = "inheritance_on" if inherit else "inheritance_off"
    return Change(action=action, edit=edit, problems=problems, while_inheriting=True)


def _has_parent(effective: Effective) -> bool:
    return effective.parent_id is not None
