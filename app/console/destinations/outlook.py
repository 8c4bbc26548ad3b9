"""The preview of saving: differences, effect on past traffic, hints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.access.actor import actor_of
from app.console.destinations.sight import Sight, by_name
from app.console.destinations.wishes import DURATIONS, Wishes
from app.destinations.adjust import adjust
from app.destinations.high_risk import unacknowledged
from app.destinations.manage import Asked, ManageDestinations
from app.destinations.territories import has_numbers, hints_for
from app.kernel.errors import ValidationFailed
from app.web.wiring import service


@dataclass(frozen=True, slots=True)
class Difference:
    """The change for one country: access and end of it, before and after."""

    country: str
    access: str
    until: datetime | None
    will_be_allowed: bool
    duration: str | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything that is shown before saving; ``problems`` are by country and forbid it."""

    differences: tuple[Difference, ...]
    impact: dict[str, Any] | None = None
    hints: Mapping[str, list[str]] = field(default_factory=dict)
    risky: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    without_numbers: tuple[str, ...] = ()
    blocks_home: bool = False
    problems: Mapping[str, list[str]] = field(default_factory=dict)


def look_ahead(connection: Connection, sight: Sight, wishes: Wishes) -> Outlook:
    """Preview the pending changes on the current policy."""
    wanted = wishes.adjustment(sight.now)
    opened = by_name(set(wanted.opened))
    differences = tuple(_difference(code, sight, wishes) for code in by_name(wishes.countries))
    try:
        changed = service(ManageDestinations).within(
            connection,
            sight.effective.workspace_id,
            adjust(wanted, None, sight.now),
            Asked(actor_of(sight.visitor.principal), dry_run=True),
        )
    except ValidationFailed as problem:
        return Outlook(differences, problems=problems_by_country(problem))
    risky = unacknowledged(connection, sight.effective, opened, (), always=True)
    return Outlook(
        differences=differences,
        impact=changed.impact,
        hints=_hints(opened, sight),
        risky=tuple(code for code in opened if code in risky),
        closed=tuple(code for code in opened if sight.gates.is_closed(code)),
        blocks_home=sight.workspace.home_country in wishes.block,
        without_numbers=tuple(code for code in opened if not has_numbers(code)),
    )


def problems_by_country(problem: ValidationFailed) -> dict[str, list[str]]:
    """Sort the problems of an adjustment by country."""
    details = problem.details or {}
    return {path.rpartition(".")[2]: texts for path, texts in details.items()}


def _difference(code: str, sight: Sight, wishes: Wishes) -> Difference:
    return Difference(
        country=code,
        access=sight.access(code),
        until=sight.allowed.get(code),
        will_be_allowed=code not in wishes.block,
        duration=DURATIONS.get(wishes.hours.get(code, 0)),
    )


def _hints(opened: list[str], sight: Sight) -> dict[str, list[str]]:
    """Return, for each country, its territories that stay blocked."""
    found = {
        code: by_name(set(separate) - sight.allowed.keys())
        for code, separate in hints_for(opened).items()
    }
    return {code: separate for code, separate in found.items() if separate}
