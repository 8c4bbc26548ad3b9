"""Plan of guards: omitted settings stay unchanged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from app.destinations.manage import ChangeRequest
from app.guards.edits import (
    check_spend,
    edit_guards,
    edit_use_case_guards,
    explain_for_text,
    use_case_differences,
    workspace_differences,
)
from app.guards.limits import GuardConfiguration
from app.guards.manage import change_guards
from app.guards.store import load_guards
from app.kernel.errors import Problems
from app.messages.guard_history import GuardHistory
from app.prices.store import has_prices
from app.provisioning.file import Entry, FileProblems
from app.provisioning.plan_workspaces import MatchedWorkspace
from app.provisioning.steps import ACTOR, Context, PlannedChange, Step, changed_values


def plan_guards(
    context: Context, each: MatchedWorkspace, ids: Mapping[str, UUID], problems: FileProblems
) -> Iterator[Step]:
    """``ids`` are by place."""
    edit = _Edit(
        each.entry,
        {
            ids[one.place]: one
            for one in each.entry.each("use_cases")
            if one.get("guards") is not None and one.place in ids
        },
    )
    if each.entry.get("guards") is None and not edit.use_cases:
        return
    before = GuardConfiguration()
    if each.before is not None:
        before = load_guards(context.connection, each.id).configuration
    found = Problems()
    after = edit(before, found)
    if after != before:
        priced = has_prices(context.connection)
        check_spend(after, each.entry.at("guards"), found, has_prices=priced)
    for at, texts in found.found().items():
        problems.add_tree(at, [explain_for_text(text) for text in texts])

    def run() -> None:
        of_it = context.connection, each.id, edit, ChangeRequest(ACTOR)
        change_guards(*of_it, history=GuardHistory(), now=context.now)

    yield Step(edit.changes(before, after), run)


@dataclass(frozen=True, slots=True)
class _Edit:
    workspace: Entry
    use_cases: Mapping[UUID, Entry]

    def __call__(self, current: GuardConfiguration, problems: Problems) -> GuardConfiguration:
        given = self.workspace.get("guards")
        if given is not None:
            current = edit_guards(current, given, self.workspace.at("guards"), problems)
        for use_case_id, one in self.use_cases.items():
            of_it = current, use_case_id, one["guards"], one.at("guards")
            current = edit_use_case_guards(*of_it, problems)
        return current

    def changes(
        self, before: GuardConfiguration, after: GuardConfiguration
    ) -> tuple[PlannedChange, ...]:
        found = [(self.workspace.at("guards"), workspace_differences(before, after))]
        for use_case_id, one in self.use_cases.items():
            found.append((one.at("guards"), use_case_differences(before, after, use_case_id)))
        return tuple(
            change
            for place, differences in found
            for change in changed_values(
                place, ((one.path, one.before, one.after) for one in differences)
            )
        )
