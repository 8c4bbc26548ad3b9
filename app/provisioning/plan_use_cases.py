"""Plan of use cases and their sender pools, and of guards; omitted settings stay unchanged."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.access.audit import PrincipalChange
from app.access.tables import workspaces
from app.db.rows import AnyRow
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
from app.kernel.ids import new_id, parse_id
from app.kernel.masking import mask_numbers_in
from app.messages.history import GuardHistory
from app.prices.store import has_prices
from app.provisioning.file import Entry, FileProblems
from app.provisioning.plan_workspaces import MatchedWorkspace
from app.provisioning.schemas import ANY_DESTINATION
from app.provisioning.steps import (
    PlannedChange,
    Step,
    added,
    changed_columns,
    changed_values,
    removed,
)
from app.use_cases.manage import (
    DENIED_BY_ORGANIZATION,
    NewSender,
    NewUseCase,
    add_sender,
    change_sender,
    change_use_case,
    create_use_case,
    delete_use_case,
    free_name,
    remove_sender,
    restore_use_case,
    use_case_columns,
)
from app.use_cases.rules import Registration
from app.use_cases.tables import senders, use_cases


@dataclass(frozen=True, slots=True)
class PlannedUseCases:
    stored: dict[UUID, AnyRow]
    live: dict[UUID, tuple[UUID, str]]
    ids: dict[str, UUID] = field(default_factory=dict)  # those of the file, by place

    @classmethod
    def load(cls, context: PrincipalChange) -> "PlannedUseCases":
        """Of all organizations, because an id may be another's."""
        query = select(use_cases, workspaces.c.organization_id).join(workspaces)
        rows = context.connection.execute(query.order_by(use_cases.c.id)).all()
        live = {
            row.id: (row.workspace_id, row.name)
            for row in rows
            if row.deleted_at is None and row.organization_id == context.organization_id
        }
        return cls({row.id: row for row in rows}, live)

    def find(self, name_or_id: str, workspace_id: UUID | None) -> list[UUID]:
        wanted = parse_id(name_or_id)
        return [
            use_case_id
            for use_case_id, (owner, name) in self.live.items()
            if name_or_id == name or use_case_id == wanted
            if workspace_id in {None, owner}
        ]

    def shown(self, workspace: Entry) -> list[dict[str, str]]:
        found = (self.ids.get(entry.place) for entry in workspace.each("use_cases"))
        return [
            {"id": str(one), "name": self.live[one][1]}
            for one in found
            if one is not None and one in self.live
        ]


@dataclass(frozen=True, slots=True)
class UseCasePlanner:
    context: PrincipalChange
    workspace_id: UUID
    denied: Collection[str]
    known: PlannedUseCases
    problems: FileProblems

    def steps(self, workspace: Entry) -> Iterator[Step]:
        """Names that others take are freed, then deletions come first."""
        entries = workspace.each("use_cases")
        yield from self._freed_names(entries)
        claimed = {entry.get("id") for entry in entries}
        for entry in sorted(entries, key=lambda one: not one.get("deleted")):
            stored = self.known.stored.get(entry.get("id"))  # type: ignore[arg-type]
            if stored is not None and stored.workspace_id != self.workspace_id:
                text = "Is the id of a use case of another workspace."
                self.problems.add(entry.at("id"), text)
                continue
            before = self._find(entry, claimed)
            if entry.get("deleted"):
                yield from self._deletion(entry, before)
            else:
                use_case_id = entry.get("id") or (new_id() if before is None else before.id)
                self._note(entry, use_case_id, before)
                yield self._step(entry, use_case_id, before)
                yield from self._pool(entry, use_case_id)

    def _freed_names(self, entries: Sequence[Entry]) -> Iterator[Step]:
        wanted = {entry.get("name") for entry in entries}
        for entry in entries:
            row = self.known.stored.get(entry.get("id"))  # type: ignore[arg-type]
            if row is None or row.workspace_id != self.workspace_id or row.deleted_at is not None:
                continue
            if entry.get("name", row.name) != row.name and row.name in wanted:
                run = partial(free_name, self.context.connection, row.id)
                yield Step((), run, always=True)

    def _note(self, entry: Entry, use_case_id: UUID, before: AnyRow | None) -> None:
        name = entry.get("name") or ("" if before is None else before.name)
        self.known.live[use_case_id] = (self.workspace_id, name)
        self.known.ids[entry.place] = use_case_id

    def _find(self, entry: Entry, claimed: set[UUID | None]) -> AnyRow | None:
        holders = [
            row
            for row in self.known.stored.values()
            if (row.workspace_id, row.name) == (self.workspace_id, entry.get("name"))
            and row.deleted_at is None
            and row.id not in claimed
        ]
        if "id" in entry:
            if holders and not entry.get("deleted"):
                text = f"Is the name of another use case, whose id is {holders[0].id}."
                self.problems.add(entry.at("name"), text)
            return self.known.stored.get(entry["id"])
        if len(holders) > 1:
            self.problems.add(entry.at("name"), "Several use cases have this name: give the id.")
        return holders[0] if holders else None

    def _deletion(self, entry: Entry, before: AnyRow | None) -> Iterator[Step]:
        if before is None or before.deleted_at is not None:
            text = "Needs the id or the name to delete."
            self.problems.require(entry.get("id") or entry.get("name"), entry.place, text)
            return
        self.known.live.pop(before.id, None)
        run = partial(delete_use_case, self.context, before.id)
        yield Step(removed(entry.place, before.name), run)

    def _step(self, entry: Entry, use_case_id: UUID, before: AnyRow | None) -> Step:
        wanted, context = self._wanted(entry), self.context
        if before is None:
            text = "Is needed for a use case that is new."
            for name in ("name", "messaging_service_sid"):
                self.problems.require(entry.get(name), entry.at(name), text)

            def create() -> None:
                own = {"use_case_id": use_case_id, "workspace_id": self.workspace_id}
                create_use_case(context, NewUseCase(**wanted | own))

            return Step(added(entry.place, entry.get("name", "")), create)
        is_deleted = before.deleted_at is not None
        if is_deleted and "deleted" not in entry:
            text = "Is the id of a deleted use case: say deleted = false to bring it back, or true."
            self.problems.add(entry.at("id"), text)
        restricted = before.allowed_destinations
        columns = before._asdict() | {"allowed_destinations": restricted and sorted(restricted)}
        after = use_case_columns(wanted, before) | ({"deleted_at": None} if is_deleted else {})

        def change() -> None:
            if is_deleted:
                restore_use_case(context, use_case_id)
            change_use_case(context, use_case_id, wanted)

        return Step(changed_columns(entry.place, columns, after), change)

    def _wanted(self, entry: Entry) -> dict[str, Any]:
        names = ("name", "messaging_service_sid", "active")
        wanted: dict[str, Any] = {name: entry[name] for name in names if name in entry}
        for kind in ("brand", "campaign"):
            if "sid" in entry.get(kind, ()):
                given = entry[kind]
                wanted[kind] = Registration(**given) if given["sid"] else None
        countries = entry.get("allowed_destinations")
        if countries == ANY_DESTINATION:
            wanted["allowed_destinations"] = None
        elif countries is not None:
            for index, country in enumerate(countries):
                if country in self.denied:
                    place = entry.at("allowed_destinations", index)
                    self.problems.add(place, DENIED_BY_ORGANIZATION)
            wanted["allowed_destinations"] = [one for one in countries if one]
        if "on_unconfirmed" in entry:
            wanted["on_unconfirmed"] = entry["on_unconfirmed"].value
        return wanted

    def _pool(self, entry: Entry, use_case_id: UUID) -> Iterator[Step]:
        if "senders" not in entry:
            return
        context, of_pool = self.context, senders.c.use_case_id == use_case_id
        query = select(senders).where(of_pool).order_by(senders.c.id)
        pool = {row.number: row for row in context.connection.execute(query)}
        wanted = [one for one in entry.each("senders") if {"number", "type"} <= one.keys()]
        kept = {one["number"] for one in wanted}
        for row in (row for row in pool.values() if row.number not in kept):
            run = partial(remove_sender, context, use_case_id, row.id)
            yield Step(removed(entry.at("senders"), mask_numbers_in(row.number)), run)
        for one in wanted:
            new, known = NewSender(one["number"], one["type"]), pool.get(one["number"])
            if known is None:
                changes = added(one.place, mask_numbers_in(new.number))
                yield Step(changes, partial(add_sender, context, use_case_id, new))
            else:
                after = {"type": new.type.value}
                changes = changed_columns(one.place, known._asdict(), after)
                yield Step(changes, partial(change_sender, context, use_case_id, new))


def plan_guards(
    context: PrincipalChange,
    each: MatchedWorkspace,
    ids: Mapping[str, UUID],
    problems: FileProblems,
) -> Iterator[Step]:
    """``ids`` are by place."""
    guarded = (one for one in each.entry.each("use_cases") if one.get("guards") is not None)
    edit = _Edit(each.entry, {ids[one.place]: one for one in guarded if one.place in ids})
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
        of_it = context.connection, each.id, edit, ChangeRequest(context.actor)
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
        values = (
            (place, [(one.path, one.before, one.after) for one in differences])
            for place, differences in found
        )
        return tuple(change for of_place in values for change in changed_values(*of_place))
