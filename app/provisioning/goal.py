"""The plan: steps from the current to the desired state. Pure."""

from datetime import datetime
from uuid import UUID

from app.provisioning.access_keys import KeyAims, NamedUseCases, Scope
from app.provisioning.accounts import aim_accounts, refuse_foreign_accounts
from app.provisioning.desired import Desired
from app.provisioning.guards import aim_guards
from app.provisioning.mistakes import Mistakes
from app.provisioning.organization import aim_organization
from app.provisioning.records import (
    Goal,
    KeyRecord,
    OrganizationRecord,
    SenderRecord,
    Step,
    Stored,
    UseCaseRecord,
)
from app.provisioning.use_cases import UseCaseAims
from app.provisioning.workspaces import Found, aim_workspaces, find_workspaces

_IDENTITY = ("organization", "organization.id", "organization.name")


def make_goal(desired: Desired, stored: Stored, mistakes: Mistakes, now: datetime) -> Goal:
    """Plan every object of the file.

    Raises:
        FileRefused: with every problem.
    """
    organization = aim_organization(desired.organization, stored, mistakes)
    owner = organization.after
    accounts = aim_accounts(desired.workspaces, stored, owner.id, mistakes)
    if mistakes.has_any(*_IDENTITY):
        # Whose workspaces to compare with is unknown.
        mistakes.refuse()
    refuse_foreign_accounts(accounts, stored, owner.id, mistakes)
    found = find_workspaces(desired.workspaces, stored, owner.id, mistakes)
    workspaces = aim_workspaces(found, stored, owner, mistakes)
    use_cases, senders = _aim_use_cases(found, owner, stored, mistakes, now)
    guards = aim_guards(found, use_cases, stored, mistakes)
    known = {one.id: one for one in stored.use_cases.values()}
    known |= {aim.after.id: aim.after for aim in use_cases}
    named = NamedUseCases([one for one in known.values() if one.deleted_at is None])
    keys = _aim_keys(
        desired, found, owner.id, stored=stored, named=named, mistakes=mistakes, now=now
    )
    goal = Goal(
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
    mistakes.refuse()
    return goal


def _aim_use_cases(
    found: list[Found],
    owner: OrganizationRecord,
    stored: Stored,
    mistakes: Mistakes,
    now: datetime,
) -> tuple[list[Step[UseCaseRecord]], list[Step[SenderRecord]]]:
    use_cases: list[Step[UseCaseRecord]] = []
    senders: list[Step[SenderRecord]] = []
    for each in found:
        aimer = UseCaseAims(each.id, owner.denied_destinations, stored, mistakes)
        aims = aimer.aim(each.entry, now)
        use_cases += aims.use_cases
        senders += aims.senders
    return use_cases, senders


def _aim_keys(
    desired: Desired,
    found: list[Found],
    organization_id: UUID,
    *,
    stored: Stored,
    named: NamedUseCases,
    mistakes: Mistakes,
    now: datetime,
) -> list[Step[KeyRecord]]:
    keys_of = {Scope(organization_id, None): desired.organization.access_keys}
    keys_of |= {Scope(organization_id, each.id): each.entry.access_keys for each in found}
    return [
        aim
        for scope, keys in keys_of.items()
        for aim in KeyAims(stored, named, scope, mistakes).aim(keys, now)
    ]
