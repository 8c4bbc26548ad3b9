"""Plan of guards: what a file leaves out of a guard is left alone. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from app.guards.edits import (
    check_spend,
    edit_guards,
    edit_use_case_guards,
    explain_for_text,
)
from app.guards.limits import GuardConfiguration
from app.kernel.problems import Problems
from app.provisioning.desired import DesiredWorkspace
from app.provisioning.plan_workspaces import Found
from app.provisioning.problems import FileProblems, step
from app.provisioning.records import Current, GuardsStep, Step, UseCaseRecord


@dataclass(frozen=True, slots=True)
class _Edit:
    """The guards that a file gives a workspace and its use cases, with their places."""

    workspace: tuple[str, object] | None
    use_cases: Mapping[UUID, tuple[str, object]]

    def __call__(self, current: GuardConfiguration, problems: Problems) -> GuardConfiguration:
        if self.workspace is not None:
            place, given = self.workspace
            current = edit_guards(current, given, place, problems)
        for use_case_id, (place, given) in self.use_cases.items():
            current = edit_use_case_guards(current, use_case_id, given, place, problems)
        return current


def aim_guards(
    found: Iterable[Found],
    use_cases: Iterable[Step[UseCaseRecord]],
    current: Current,
    problems: FileProblems,
) -> list[GuardsStep]:
    """Turn the guards of the file into steps."""
    ids = {one.place: one.after.id for one in use_cases if one.after.deleted_at is None}
    return [_aim(each, ids, current, problems) for each in found if gives_guards(each.entry)]


def gives_guards(entry: DesiredWorkspace) -> bool:
    """Say whether a file gives guards to a workspace or to one of its use cases."""
    of_use_cases = (one.guards for one in entry.use_cases)
    return any(given is not None for given in (entry.guards, *of_use_cases))


def _aim(
    found: Found, ids: Mapping[str, UUID], current: Current, problems: FileProblems
) -> GuardsStep:
    entry = found.entry
    places = {
        ids[one.place]: step(one.place, "guards")
        for one in entry.use_cases
        if one.guards is not None and one.place in ids
    }
    place = step(entry.place, "guards")
    given = {ids[one.place]: one.guards for one in entry.use_cases if one.place in ids}
    edit = _Edit(
        None if entry.guards is None else (place, entry.guards),
        {use_case_id: (at, given[use_case_id]) for use_case_id, at in places.items()},
    )
    before = current.guards.get(found.id, GuardConfiguration())
    found_problems = Problems()
    after = edit(before, found_problems)
    if after != before:
        check_spend(after, place, found_problems, has_prices=current.has_prices)
    for at, texts in found_problems.found().items():
        problems.add_tree(at, [explain_for_text(text) for text in texts])
    return GuardsStep(found.id, place, places, before, after, edit)
