"""Plan of workspaces and their country maps. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.access.workspace_rules import mistake_in_chain
from app.destinations.manage import own_policy
from app.destinations.policy.evaluate import Access
from app.destinations.policy.state import PolicyState
from app.kernel.ids import new_id, parse_id
from app.provisioning.desired import DesiredWorkspace
from app.provisioning.problems import FileProblems, step
from app.provisioning.records import (
    Current,
    OrganizationRecord,
    PolicyRecord,
    Step,
    WorkspaceRecord,
)


def resolve_parents(
    entries: Iterable[tuple[UUID, DesiredWorkspace]],
    current: Mapping[UUID, WorkspaceRecord],
    names: Mapping[UUID, str],
    problems: FileProblems,
) -> dict[UUID, UUID | None]:
    """Return the parent that each workspace will have; ``names`` holds all that will exist."""
    entries = list(entries)
    by_name = {name: workspace_id for workspace_id, name in names.items()}
    parents = {known.id: known.parent_id for known in current.values()}
    for workspace_id, entry in entries:
        parents.setdefault(workspace_id, None)
        if entry.parent is not None:
            found = _find(entry.parent, names, by_name)
            if found is None and entry.parent:
                problems.add(step(entry.place, "parent"), "There is no such workspace.")
            parents[workspace_id] = found
    for workspace_id, entry in entries:
        if entry.parent:
            wrong = mistake_in_chain(workspace_id, parents)
            if wrong:
                problems.add(step(entry.place, "parent"), wrong)
    return parents


def _find(parent: str, names: Mapping[UUID, str], by_name: Mapping[str, UUID]) -> UUID | None:
    as_id = parse_id(parent)
    if as_id is not None:
        return as_id if as_id in names else None
    return by_name.get(parent)


_IN_ANOTHER_ORGANIZATION = "Is the id of a workspace of another organization."


@dataclass(frozen=True, slots=True)
class Found:
    """A workspace of the file with its current record."""

    id: UUID
    entry: DesiredWorkspace
    before: WorkspaceRecord | None


@dataclass(frozen=True, slots=True)
class WorkspacePlan:
    """Steps for workspaces and policies; `names` are those of all workspaces in the end."""

    workspaces: list[Step[WorkspaceRecord]]
    policies: list[Step[PolicyRecord]]
    names: Mapping[UUID, str]


def match_workspaces(
    entries: Iterable[DesiredWorkspace],
    current: Current,
    organization_id: UUID,
    problems: FileProblems,
) -> list[Found]:
    """Find each workspace by its id, or by its name among those that no other entry names by id."""
    entries = list(entries)
    own = _of_organization(current, organization_id)
    claimed = {entry.id for entry in entries}
    by_name = {known.name: known for known in own.values()}
    found = []
    for entry in entries:
        if entry.id in current.workspaces and entry.id not in own:
            problems.add(step(entry.place, "id"), _IN_ANOTHER_ORGANIZATION)
            continue
        holder = by_name.get(entry.name or "")
        if entry.id is not None:
            before = own.get(entry.id)
        else:
            before = holder if holder and holder.id not in claimed else None
        found.append(Found(entry.id or (before.id if before else new_id()), entry, before))
        if holder is not None and holder.id != found[-1].id:
            text = f"Is the name of another workspace, whose id is {holder.id}."
            problems.add(step(entry.place, "name"), text)
    return found


def plan_workspaces(
    found: list[Found], current: Current, organization: OrganizationRecord, problems: FileProblems
) -> WorkspacePlan:
    """Turn the workspaces of the file into steps."""
    own = _of_organization(current, organization.id)
    names = {known.id: known.name for known in own.values()}
    names |= {each.id: each.entry.name for each in found if each.entry.name}
    parents = resolve_parents(((f.id, f.entry) for f in found), own, names, problems)
    aims = WorkspacePlan([], [], names)
    for each in found:
        aim = _plan_workspace(each, parents[each.id], organization.id, problems)
        aims.workspaces.append(aim)
        policy = _plan_policy(each, aim.after, current, organization, problems)
        if policy is not None:
            aims.policies.append(policy)
    return aims


def _of_organization(current: Current, organization_id: UUID) -> dict[UUID, WorkspaceRecord]:
    return {
        known.id: known
        for known in current.workspaces.values()
        if known.organization_id == organization_id
    }


def _plan_workspace(
    found: Found, parent_id: UUID | None, organization_id: UUID, problems: FileProblems
) -> Step[WorkspaceRecord]:
    entry, before = found.entry, found.before
    if before is None:
        text = "Is needed for a workspace that is new."
        problems.require(entry.name, step(entry.place, "name"), text)
        problems.require(entry.home_country, step(entry.place, "home_country"), text)
        inherits = parent_id is not None
        start = WorkspaceRecord(found.id, organization_id, "", "", inherits_destinations=inherits)
    else:
        start = before
    after = replace(start, parent_id=parent_id, **_given(entry))
    if after.inherits_destinations and parent_id is None and entry.parent == "":
        text = "The workspace inherits its destinations: give it destinations of its own."
        problems.add(step(entry.place, "parent"), text)
    return Step(entry.place, before, after)


def _given(entry: DesiredWorkspace) -> dict[str, Any]:
    names = ("name", "home_country", "body_retention_days", "number_retention_days")
    plain = {name: getattr(entry, name) for name in names}
    given = {name: value for name, value in plain.items() if value is not None}
    if entry.acknowledge_high_risk is not None:
        given["acknowledges_high_risk"] = entry.acknowledge_high_risk
    if entry.destinations is not None:
        given["inherits_destinations"] = False
    if entry.twilio is not None:
        given["account_sid"] = entry.twilio.account_sid or None
    return given


def _plan_policy(
    found: Found,
    after: WorkspaceRecord,
    current: Current,
    organization: OrganizationRecord,
    problems: FileProblems,
) -> Step[PolicyRecord] | None:
    entry, floor = found.entry, organization.denied_destinations
    before = current.policies.get(found.id)
    start = before.state if before else PolicyState()
    if entry.destinations is not None:
        for country, access in entry.destinations.items():
            if country in floor and access == Access.ALLOWED:
                at = step(step(entry.place, "destinations"), country)
                problems.add(at, "The organization denies this destination.")
        return Step(
            entry.place, before, PolicyRecord(found.id, own_policy(start, entry.destinations))
        )
    if found.before is not None or after.inherits_destinations:
        return None
    home = after.home_country
    if home in floor:
        text = "The organization denies this destination: say which are allowed instead."
        problems.add(step(entry.place, "home_country"), text)
    only_home = {home: Access.ALLOWED.value}
    return Step(entry.place, before, PolicyRecord(found.id, own_policy(start, only_home)))
