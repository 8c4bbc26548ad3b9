"""Plan of workspaces and their country maps. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.destinations.own_map import own_policy
from app.destinations.policy import Access
from app.destinations.state import PolicyState
from app.kernel.ids import new_id
from app.provisioning.desired import DesiredWorkspace
from app.provisioning.mistakes import Mistakes, step
from app.provisioning.parents import resolve_parents
from app.provisioning.records import OrganizationRecord, PolicyRecord, Step, Stored, WorkspaceRecord

_IN_ANOTHER_ORGANIZATION = "Is the id of a workspace of another organization."


@dataclass(frozen=True, slots=True)
class Found:
    """A workspace of the file with its current record."""

    id: UUID
    entry: DesiredWorkspace
    before: WorkspaceRecord | None


@dataclass(frozen=True, slots=True)
class Aims:
    """Steps for workspaces and policies; `names` are those of all workspaces in the end."""

    workspaces: list[Step[WorkspaceRecord]]
    policies: list[Step[PolicyRecord]]
    names: Mapping[UUID, str]


def find_workspaces(
    entries: Iterable[DesiredWorkspace],
    stored: Stored,
    organization_id: UUID,
    mistakes: Mistakes,
) -> list[Found]:
    """Find each workspace by its id, or by its name among those that no other entry names by id."""
    entries = list(entries)
    own = _of_organization(stored, organization_id)
    claimed = {entry.id for entry in entries}
    by_name = {known.name: known for known in own.values()}
    found = []
    for entry in entries:
        if entry.id in stored.workspaces and entry.id not in own:
            mistakes.add(step(entry.place, "id"), _IN_ANOTHER_ORGANIZATION)
            continue
        holder = by_name.get(entry.name or "")
        if entry.id is not None:
            before = own.get(entry.id)
        else:
            before = holder if holder and holder.id not in claimed else None
        found.append(Found(entry.id or (before.id if before else new_id()), entry, before))
        if holder is not None and holder.id != found[-1].id:
            text = f"Is the name of another workspace, whose id is {holder.id}."
            mistakes.add(step(entry.place, "name"), text)
    return found


def aim_workspaces(
    found: list[Found], stored: Stored, organization: OrganizationRecord, mistakes: Mistakes
) -> Aims:
    """Turn the workspaces of the file into steps."""
    own = _of_organization(stored, organization.id)
    names = {known.id: known.name for known in own.values()}
    names |= {each.id: each.entry.name for each in found if each.entry.name}
    parents = resolve_parents(((f.id, f.entry) for f in found), own, names, mistakes)
    aims = Aims([], [], names)
    for each in found:
        aim = _aim_workspace(each, parents[each.id], organization.id, mistakes)
        aims.workspaces.append(aim)
        policy = _aim_policy(each, aim.after, stored, organization, mistakes)
        if policy is not None:
            aims.policies.append(policy)
    return aims


def _of_organization(stored: Stored, organization_id: UUID) -> dict[UUID, WorkspaceRecord]:
    return {
        known.id: known
        for known in stored.workspaces.values()
        if known.organization_id == organization_id
    }


def _aim_workspace(
    found: Found, parent_id: UUID | None, organization_id: UUID, mistakes: Mistakes
) -> Step[WorkspaceRecord]:
    entry, before = found.entry, found.before
    if before is None:
        text = "Is needed for a workspace that is new."
        mistakes.require(entry.name, step(entry.place, "name"), text)
        mistakes.require(entry.home_country, step(entry.place, "home_country"), text)
        inherits = parent_id is not None
        start = WorkspaceRecord(found.id, organization_id, "", "", inherits_destinations=inherits)
    else:
        start = before
    after = replace(start, parent_id=parent_id, **_given(entry))
    if after.inherits_destinations and parent_id is None and entry.parent == "":
        text = "The workspace inherits its destinations: give it destinations of its own."
        mistakes.add(step(entry.place, "parent"), text)
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


def _aim_policy(
    found: Found,
    after: WorkspaceRecord,
    stored: Stored,
    organization: OrganizationRecord,
    mistakes: Mistakes,
) -> Step[PolicyRecord] | None:
    entry, floor = found.entry, organization.denied_destinations
    before = stored.policies.get(found.id)
    start = before.state if before else PolicyState()
    if entry.destinations is not None:
        for country, access in entry.destinations.items():
            if country in floor and access == Access.ALLOWED:
                at = step(step(entry.place, "destinations"), country)
                mistakes.add(at, "The organization denies this destination.")
        return Step(
            entry.place, before, PolicyRecord(found.id, own_policy(start, entry.destinations))
        )
    if found.before is not None or after.inherits_destinations:
        return None
    home = after.home_country
    if home in floor:
        text = "The organization denies this destination: say which are allowed instead."
        mistakes.add(step(entry.place, "home_country"), text)
    only_home = {home: Access.ALLOWED.value}
    return Step(entry.place, before, PolicyRecord(found.id, own_policy(start, only_home)))
