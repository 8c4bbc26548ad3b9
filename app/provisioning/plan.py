"""The plan: steps from the current to the desired state. Pure."""

from datetime import datetime
from uuid import UUID

from app.kernel.ids import new_id
from app.provisioning.desired import Desired, DesiredOrganization
from app.provisioning.guards import aim_guards
from app.provisioning.plan_access_keys import KeyPlanner, KeyScope, NamedUseCases
from app.provisioning.plan_accounts import plan_accounts, refuse_foreign_accounts
from app.provisioning.plan_use_cases import UseCasePlanner
from app.provisioning.plan_workspaces import Found, match_workspaces, plan_workspaces
from app.provisioning.problems import FileProblems, step
from app.provisioning.records import (
    Current,
    KeyRecord,
    OrganizationRecord,
    Plan,
    SenderRecord,
    Step,
    UseCaseRecord,
)


def plan_organization(
    desired: DesiredOrganization, current: Current, problems: FileProblems
) -> Step[OrganizationRecord]:
    """Find the organization by its id or name, or make it."""
    by_name = {known.name: known for known in current.organizations.values()}
    holder = by_name.get(desired.name or "")
    before = holder if desired.id is None else current.organizations.get(desired.id)
    organization_id = desired.id or (before.id if before else new_id())
    at_name = step(desired.place, "name")
    if holder is not None and holder.id != organization_id:
        problems.add(at_name, f"Is the name of another organization, whose id is {holder.id}.")
    if before is None:
        problems.require(desired.name, at_name, "Is needed for an organization that is new.")
        before_denied: tuple[str, ...] = ()
    else:
        before_denied = before.denied_destinations
    denied = desired.denied_destinations
    after = OrganizationRecord(
        id=organization_id,
        name=desired.name or (before.name if before else ""),
        denied_destinations=before_denied if denied is None else tuple(sorted(set(denied))),
    )
    return Step(desired.place, before, after)


_IDENTITY = ("organization", "organization.id", "organization.name")


def make_plan(desired: Desired, current: Current, problems: FileProblems, now: datetime) -> Plan:
    """Plan every object of the file.

    Raises:
        FileRefused: with every problem.
    """
    organization = plan_organization(desired.organization, current, problems)
    owner = organization.after
    accounts = plan_accounts(desired.workspaces, current, owner.id, problems)
    if problems.has_any(*_IDENTITY):
        # Whose workspaces to compare with is unknown.
        problems.refuse()
    refuse_foreign_accounts(accounts, current, owner.id, problems)
    found = match_workspaces(desired.workspaces, current, owner.id, problems)
    workspaces = plan_workspaces(found, current, owner, problems)
    use_cases, senders = _plan_use_cases(found, owner, current, problems, now)
    guards = aim_guards(found, use_cases, current, problems)
    known = {one.id: one for one in current.use_cases.values()}
    known |= {aim.after.id: aim.after for aim in use_cases}
    named = NamedUseCases([one for one in known.values() if one.deleted_at is None])
    keys = _plan_keys(
        desired, found, owner.id, current=current, named=named, problems=problems, now=now
    )
    planned = Plan(
        organization=organization,
        accounts=tuple(accounts),
        workspaces=tuple(workspaces.workspaces),
        policies=tuple(workspaces.policies),
        use_cases=tuple(use_cases),
        senders=tuple(senders),
        keys=tuple(keys),
        guards=tuple(guards),
        workspace_names=workspaces.names,
    )
    problems.refuse()
    return planned


def _plan_use_cases(
    found: list[Found],
    owner: OrganizationRecord,
    current: Current,
    problems: FileProblems,
    now: datetime,
) -> tuple[list[Step[UseCaseRecord]], list[Step[SenderRecord]]]:
    use_cases: list[Step[UseCaseRecord]] = []
    senders: list[Step[SenderRecord]] = []
    for each in found:
        aimer = UseCasePlanner(each.id, owner.denied_destinations, current, problems)
        aims = aimer.aim(each.entry, now)
        use_cases += aims.use_cases
        senders += aims.senders
    return use_cases, senders


def _plan_keys(
    desired: Desired,
    found: list[Found],
    organization_id: UUID,
    *,
    current: Current,
    named: NamedUseCases,
    problems: FileProblems,
    now: datetime,
) -> list[Step[KeyRecord]]:
    keys_of = {KeyScope(organization_id, None): desired.organization.access_keys}
    keys_of |= {KeyScope(organization_id, each.id): each.entry.access_keys for each in found}
    return [
        aim
        for scope, keys in keys_of.items()
        for aim in KeyPlanner(current, named, scope, problems).aim(keys, now)
    ]
