"""Making a change or a dry run, and printing its result."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.cli.destinations.format import change_lines, impact_lines, rule_lines
from app.cli.destinations.options import ChangeOptions, OpenedWorkspace
from app.cli.group import CommandFailure, echo_result
from app.destinations.api.configuration import policy_view
from app.destinations.api.document import RulesDifference, rules_difference
from app.destinations.manage import Changed, PolicyChange
from app.destinations.storage.policies import EffectivePolicy
from app.kernel.errors import DestinationsInherited, RevisionMismatch


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    before: EffectivePolicy
    changed: Changed
    dry_run: bool

    @property
    def is_new(self) -> bool:
        one, other = self.before, self.changed.effective
        if self.dry_run:
            return (one.state, one.inherits) != (other.state, other.inherits)
        return (one.revision, one.inherits) != (other.revision, other.inherits)

    @property
    def rules(self) -> RulesDifference:
        return rules_difference(self.before.state, self.changed.effective.state)

    def as_json(self) -> dict[str, Any]:
        """Return the API's answer to a dry run, with the rules added."""
        effective = self.changed.effective
        return {
            "dry_run": self.dry_run,
            "revision": effective.revision,
            "inherit": effective.inherits,
            "configuration": policy_view(effective),
            "changes": [change.as_json() for change in self.changed.changes],
            "rules": self.rules.as_json(),
            "impact": self.changed.impact,
        }


def make(opened: OpenedWorkspace, change: PolicyChange, options: ChangeOptions) -> ChangeOutcome:
    """Make a change as the user of this machine.

    Raises `CommandFailure` (outdated `if_match`, inherited policy) or `ValidationFailed`.
    """
    before = opened.effective()
    try:
        changed = opened.manage(opened.workspace_id, change, options.request)
    except RevisionMismatch as problem:
        raise options.mismatch(problem) from problem
    except DestinationsInherited as problem:
        remedy = "`borderpost destinations inherit off` leaves it, with a copy of that policy"
        raise CommandFailure(problem.text, remedy) from problem
    return ChangeOutcome(before, changed, options.dry_run)


def echo_outcome(
    opened: OpenedWorkspace,
    outcome: ChangeOutcome,
    options: ChangeOptions,
    *,
    extra: dict[str, Any] | None = None,
    hints: Iterable[str] = (),
) -> None:
    """Print the change or dry run, then hints; ``extra`` is added to the JSON."""
    revision, lines = outcome.changed.effective.revision, []
    said = "dry run, nothing was changed, " if outcome.dry_run else ""
    if outcome.is_new:
        lines += [*change_lines(outcome.changed.changes), *rule_lines(outcome.rules)]
        lines += [] if outcome.changed.impact is None else impact_lines(outcome.changed.impact)
    else:
        said = "nothing to change, "
    head = f"{opened.name}: {said}revision {revision}"
    shown = outcome.as_json() | (extra or {})
    echo_result(shown, [head, *lines, *hints], as_json=options.as_json)
