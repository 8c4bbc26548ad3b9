"""`apply` and `plan`: steps from the current to the desired state, by the operations of the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, or_, select
from sqlalchemy.exc import IntegrityError

from app.access.audit import AuditEvent, PrincipalChange
from app.access.keys import NewAccessKey, issue_key
from app.access.principal import KeyLimits, limits_from, limits_text
from app.access.tables import access_keys, organizations
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.rows import AnyRow, update_row
from app.kernel.errors import ValidationFailed
from app.kernel.ids import new_id
from app.kernel.rates import DEFAULT_RATE, Rate
from app.provisioning.file import (
    THE_FILE,
    Entry,
    FileProblems,
    organization_of,
    read_entries,
    refused,
)
from app.provisioning.plan_use_cases import PlannedUseCases, UseCasePlanner, plan_guards
from app.provisioning.plan_workspaces import WorkspacePlanner, match_workspaces
from app.provisioning.steps import PlannedChange, Step, added, changed_columns, owner_of

_IDENTITY = ("organization", "organization.id", "organization.name")


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps, and the document of ``apply --json``, which gets new tokens by them."""

    steps: tuple[Step, ...]
    document: dict[str, Any] = field(repr=False)
    changes: tuple[PlannedChange, ...]


def make_plan(
    connection: Connection, cipher: Cipher, data: object, environ: Mapping[str, str], now: datetime
) -> Plan:
    """Raises `FileRefused`."""
    problems = FileProblems()
    file = read_entries(data, environ, problems)
    organization = organization_of(file)
    before, organization_id = _find_organization(connection, organization, problems)
    context = PrincipalChange.by(owner_of(organization_id), connection, now)
    if problems.has_any(*_IDENTITY):
        # Without the organization, its workspaces are unknown.
        problems.refuse()
    denied = list(before.denied_destinations) if before is not None else []
    if "denied_destinations" in organization:
        denied = sorted({one for one in organization["denied_destinations"] if one})
    found = match_workspaces(context, file.each("workspaces"), problems)
    planner = WorkspacePlanner(context, cipher, found, denied, problems)
    of_workspaces = list(planner.steps())
    use_cases = PlannedUseCases.load(context)
    of_use_cases = [
        step
        for each in found
        for step in UseCasePlanner(context, each.id, denied, use_cases, problems).steps(each.entry)
    ]
    of_guards = [
        step for each in found for step in plan_guards(context, each, use_cases.ids, problems)
    ]
    keys = _KeyPlanner(context, use_cases, problems)
    document = {
        "organization": {
            "id": str(organization_id),
            "name": organization.get("name") or (before.name if before is not None else ""),
            "access_keys": keys.plan(organization, None),
        },
        "workspaces": [
            {
                "id": str(each.id),
                "name": planner.names.get(each.id, ""),
                "access_keys": keys.plan(each.entry, each.id),
                "use_cases": use_cases.shown(each.entry),
            }
            for each in found
        ],
    }
    problems.refuse()
    of_organization = _organization_step(context, organization, before, denied)
    steps = (of_organization, *of_workspaces, *of_use_cases, *of_guards, *keys.steps)
    changes = sorted((one for step in steps for one in step.changes), key=PlannedChange.order)
    return Plan(steps, document, tuple(changes))


def _find_organization(
    connection: Connection, entry: Entry, problems: FileProblems
) -> tuple[AnyRow | None, UUID]:
    """By id or name; a new one gets an id."""
    stored = connection.execute(select(organizations)).all()
    holder = next((row for row in stored if row.name == entry.get("name")), None)
    before = holder
    if "id" in entry:
        before = next((row for row in stored if row.id == entry["id"]), None)
    organization_id = entry.get("id") or (before.id if before is not None else new_id())
    if holder is not None and holder.id != organization_id:
        text = f"Is the name of another organization, whose id is {holder.id}."
        problems.add(entry.at("name"), text)
    if before is None:
        text = "Is needed for an organization that is new."
        problems.require(entry.get("name"), entry.at("name"), text)
    return before, organization_id


def _organization_step(
    context: PrincipalChange, entry: Entry, before: AnyRow | None, denied: list[str]
) -> Step:
    table, own = organizations, {"denied_destinations": denied}
    own = ({"name": entry["name"]} if "name" in entry else {}) | own

    def note(verb: str, reason: str) -> None:
        own_id = context.organization_id
        context.record(AuditEvent(f"organization.{verb}", None, own_id, reason, own_id))

    def create() -> None:
        own_id = {"id": context.organization_id, "created_at": context.now}
        values = own | own_id | {"updated_at": context.now}
        context.connection.execute(insert(table).values(**values))
        note("created", entry["name"])

    def change() -> None:
        changed = {name: value for name, value in own.items() if value != getattr(before, name)}
        own_id = context.organization_id
        update_row(context.connection, table, own_id, **changed, updated_at=context.now)
        note("changed", ", ".join(sorted(changed)))

    if before is None:
        return Step(added(entry.place, entry["name"]), create)
    return Step(changed_columns(entry.place, before._asdict(), own), change)


@dataclass(frozen=True, slots=True)
class _KeyPlanner:
    """Keys are matched by name among the live keys of their scope."""

    context: PrincipalChange
    use_cases: PlannedUseCases
    problems: FileProblems
    steps: list[Step] = field(default_factory=list)

    def plan(self, owner: Entry, workspace_id: UUID | None) -> list[dict[str, str | None]]:
        return [
            self._plan(entry, workspace_id)
            for entry in owner.each("access_keys")
            if {"name", "role"} <= entry.keys()
        ]

    def _plan(self, entry: Entry, workspace_id: UUID | None) -> dict[str, str | None]:
        shown: dict[str, str | None] = {"name": entry["name"], "token": None}
        limits = self._limits(entry, workspace_id)
        ends_at = entry.get("expires_at")
        live = self._live(entry, workspace_id)
        if ends_at and ends_at <= self.context.now and ends_at not in {k.expires_at for k in live}:
            self.problems.add(entry.at("expires_at"), "Has passed already.")
        if not live:
            self.steps.append(self._creation(entry, workspace_id, limits, shown))
            return shown
        pairs = [(row, _columns(row, entry, limits)) for row in live]
        same = (pair for pair in pairs if not _differing(*pair))
        row, after = next(same, pairs[0])
        if _differing(row, after) and len(live) > 1:
            self.problems.add(
                entry.at("name"),
                "Several live keys have this name and none is as written here: revoke all but one.",
            )
        self.steps.append(self._change(entry, row, after))
        return shown

    def _live(self, entry: Entry, workspace_id: UUID | None) -> list[AnyRow]:
        """A key that has expired as the file says is included."""
        keys = access_keys.c
        as_written = keys.expires_at == entry.get("expires_at")
        query = select(access_keys).where(
            keys.organization_id == self.context.organization_id,
            keys.workspace_id == workspace_id,
            keys.name == entry["name"],
            keys.revoked_at.is_(None),
            or_(keys.expires_at.is_(None), keys.expires_at > self.context.now, as_written),
        )
        return list(self.context.connection.execute(query.order_by(keys.id)))

    def _limits(self, entry: Entry, workspace_id: UUID | None) -> KeyLimits:
        """None keeps a limit, an empty set removes it."""
        ids: set[UUID] = set()
        for index, name in enumerate(entry.get("use_cases", ())):
            found = self.use_cases.find(name, workspace_id)
            if len(found) != 1:
                several = "Several use cases have this name: give the id."
                text = several if found else "There is no such use case."
                self.problems.add(entry.at("use_cases", index), text)
            ids.update(found)
        return KeyLimits(
            frozenset(ids) if "use_cases" in entry else None,
            frozenset(entry["countries"]) if "countries" in entry else None,
            tuple(entry["source_networks"]) if "source_networks" in entry else None,
        )

    def _creation(
        self,
        entry: Entry,
        workspace_id: UUID | None,
        limits: KeyLimits,
        shown: dict[str, str | None],
    ) -> Step:
        context = self.context
        rate, merged = entry.get("rate", DEFAULT_RATE), _merged(KeyLimits(), limits)
        new = entry["name"], entry["role"], workspace_id, entry.get("expires_at")

        def run() -> None:
            wanted = NewAccessKey(*new, rate, merged)
            shown["token"] = issue_key(context, context.organization_id, wanted).token

        return Step(added(entry.place, entry["name"]), run)

    def _change(self, entry: Entry, row: AnyRow, after: dict[str, Any]) -> Step:
        def run() -> None:
            changed = _differing(row, after)
            update_row(self.context.connection, access_keys, row.id, **changed)
            self.context.record_of(row, "access_key.changed", ", ".join(sorted(changed)))

        return Step(changed_columns(entry.place, row._asdict(), after), run)


def _columns(row: AnyRow, entry: Entry, given: KeyLimits) -> dict[str, Any]:
    rate = entry.get("rate")
    if not isinstance(rate, Rate):
        rate = Rate(row.rate_per_second, row.rate_burst)
    return {
        "role": entry["role"].value,
        "expires_at": entry.get("expires_at") or row.expires_at,
        "rate_per_second": rate.per_second,
        "rate_burst": rate.burst,
        "limits": limits_text(_merged(limits_from(row.limits), given)),
    }


def _merged(before: KeyLimits, given: KeyLimits) -> KeyLimits:
    names = ("use_case_ids", "countries", "source_networks")
    pairs = {name: (getattr(before, name), getattr(given, name)) for name in names}
    return KeyLimits(**{n: old if new is None else new or None for n, (old, new) in pairs.items()})


def _differing(row: AnyRow, after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in after.items() if value != getattr(row, name)}


def apply(
    database: Database, cipher: Cipher, data: object, *, environ: Mapping[str, str], now: datetime
) -> Plan:
    """Make the database match parsed data in one transaction; raises `FileRefused`."""
    try:
        with database.writing() as connection:
            # Serialize applies until the end of the transaction, the first ones too.
            if not database.is_sqlite:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7080)")
            connection.execute(select(organizations.c.id).with_for_update(key_share=True)).all()
            planned = make_plan(connection, cipher, data, environ, now)
            for step in planned.steps:
                if step.changes or step.always:
                    _run(step)
    except IntegrityError as problem:
        text = "Another process has changed the database: apply the file again."
        raise refused(text) from problem
    return planned


def _run(step: Step) -> None:
    """Name the place in the file of what an operation refuses."""
    try:
        step.run()
    except ValidationFailed as problem:
        place = step.changes[0].place if step.changes else THE_FILE
        problems = FileProblems()
        for path, texts in (problem.details or {}).items():
            problems.add_tree(f"{place}{path.removeprefix('$')}", texts)
        problems.refuse()
        raise


def plan(
    database: Database, cipher: Cipher, data: object, *, environ: Mapping[str, str], now: datetime
) -> tuple[PlannedChange, ...]:
    """List the changes of `apply`; raises `FileRefused`."""
    with database.reading() as connection:
        return make_plan(connection, cipher, data, environ, now).changes
