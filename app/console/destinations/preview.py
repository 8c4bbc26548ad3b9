"""The preview of saving: differences, effect on past traffic, hints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from app.console.destinations.view import (
    DestinationsView,
    PendingChanges,
    by_name,
    dry_run_change,
)
from app.destinations.changes import Adjust, unacknowledged
from app.destinations.policy.territories import has_numbers, hints_for
from app.kernel.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview of saving; ``problems`` are by country and prevent it."""

    changed: list[str]
    impact: dict[str, Any] | None = None
    hints: Mapping[str, list[str]] = field(default_factory=dict)
    risky: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    without_numbers: tuple[str, ...] = ()
    blocks_home: bool = False
    problems: Mapping[str, list[str]] = field(default_factory=dict)


def preview_changes(
    connection: Connection, view: DestinationsView, pending_changes: PendingChanges
) -> Preview:
    wanted = pending_changes.adjustment(view.now)
    opened = by_name(set(wanted.opened))
    changed = by_name(pending_changes.countries)
    try:
        dry_run = dry_run_change(connection, view, Adjust(wanted, None))
    except ValidationFailed as problem:
        return Preview(changed, problems=problems_by_country(problem))
    risky = unacknowledged(connection, view.effective, opened, (), always=True)
    return Preview(
        changed=changed,
        impact=dry_run.impact,
        hints=_hints(opened, view),
        risky=tuple(code for code in opened if code in risky),
        closed=tuple(code for code in opened if view.geo_permissions.is_closed(code)),
        blocks_home=view.workspace.home_country in pending_changes.block,
        without_numbers=tuple(code for code in opened if not has_numbers(code)),
    )


def problems_by_country(problem: ValidationFailed) -> dict[str, list[str]]:
    details = problem.details or {}
    return {path.rpartition(".")[2]: texts for path, texts in details.items()}


def _hints(opened: list[str], view: DestinationsView) -> dict[str, list[str]]:
    """Return the territories that stay blocked, by country."""
    found = {
        code: by_name(set(separate) - view.allowed.keys())
        for code, separate in hints_for(opened).items()
    }
    return {code: separate for code, separate in found.items() if separate}
