"""Several changes of countries as one revision: allow, allow temporarily, block."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from app.destinations.high_risk import HIGH_RISK, unacknowledged
from app.destinations.load import Effective
from app.destinations.manage import Change
from app.destinations.policy import Access, Rule, RuleKind
from app.destinations.problems import Problems, merged, problems_of_map
from app.destinations.state import Edit, PolicyState, add_rules, set_countries
from app.kernel.ids import new_id

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
        used = [name for name, wishes in kinds.items() if wishes]
        return used[0] if len(used) == 1 else "adjusted"


def adjust(
    wanted: Adjustment,
    reason: str | None,
    now: datetime,
    acknowledged: Collection[str] | None = None,
) -> Change:
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

    def problems(connection: Connection, before: Effective) -> Problems:
        found: Problems = {}
        if acknowledged is not None:
            risky = unacknowledged(connection, before, wanted.opened, acknowledged, always=True)
            found = {f"$.destinations.{code}": [HIGH_RISK] for code in sorted(risky)}
        for code, until in wanted.allow_until.items():
            if until <= now:
                found = merged(found, {f"$.destinations.{code}": [_PASSED]})
        accesses = dict.fromkeys(wanted.opened, Access.ALLOWED.value)
        blocked = dict.fromkeys(wanted.block, Access.BLOCKED.value)
        return merged(found, problems_of_map({**accesses, **blocked}, before.floor))

    return Change(action=wanted.action, edit=edit, problems=problems)
